"""The pages for people: their links and paths lead somewhere, and the glossary has every term."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from hydrometer.engine.measurements import BUILT_IN
from hydrometer.scoring.identity_scores import IdentityFlag, IdentityScore
from hydrometer.scoring.prompt_values import SimilarityMetric
from hydrometer.scoring.similarity_scores import SimilarityFlag, SimilarityScore
from hydrometer.strategies.types import Metric

ROOT = Path(str(resources.files("hydrometer")))
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "data" / "README.md")
)
OF_TODAY = [page for page in PAGES if page != "CHANGELOG.md"]  # which also names what is gone
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")

FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
# A path of this repository in code font: one of its folders, then names. A star stands for any.
FOLDERS = "|".join(
    path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")
)
CODE_PATH = re.compile(rf"(?:{FOLDERS})(?:/[A-Za-z0-9_*.-]+)*/?(?:\.py)?")
PLAIN_PATH = re.compile(rf"(?<![\w/.`-])((?:{FOLDERS})/[a-z0-9_/]+(?:\.py|/))")
MODULE = re.compile(r"hydrometer(?:\.[A-Za-z_]\w*)+")
# Folders that runs make, in a user's own folder.
MADE = {"runs", "build", "dist"}


def page_text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """Return the anchors that a Markdown viewer makes of the headings of *page*."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: str) -> Iterator[str]:
    here = ROOT / page
    for link in LINK.findall(FENCE.sub("", page_text(page))):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (here.parent / path).resolve() if path else here
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


def missing_paths(page: str) -> Iterator[str]:
    text = FENCE.sub("", page_text(page))
    coded = [word for word in CODE.findall(text) if "/" in word and CODE_PATH.fullmatch(word)]
    for path in (*coded, *PLAIN_PATH.findall(CODE.sub("", LINK.sub("", text)))):
        if path.partition("/")[0] not in MADE and not any(ROOT.glob(path.rstrip("/"))):
            yield path


def unknown_modules(page: str) -> Iterator[str]:
    """Yield dotted names below hydrometer of which no module, nor a name in its module, exists."""
    for name in MODULE.findall(page_text(page)):
        parts = name.split(".")[1:]
        if parts[-1] in {"toml", "md"} or f"hydrometer.{parts[0]}" in entry_point_groups():
            continue
        if not (is_module(parts) or (is_module(parts[:-1]) and has_name(parts[:-1], parts[-1]))):
            yield name


def entry_point_groups() -> set[str]:
    return {f"hydrometer.{kind}" for kind in ("selectors", "mutators", "judges")}


def is_module(parts: list[str]) -> bool:
    path = ROOT.joinpath(*parts)
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def has_name(parts: list[str], name: str) -> bool:
    module = __import__("hydrometer" + "".join(f".{part}" for part in parts), fromlist=[name])
    return hasattr(module, name)


def glossary_terms() -> list[str]:
    return re.findall(r"^- \*\*(.+?)\*\*: ", GLOSSARY, re.MULTILINE)


def words_of(kind: object) -> Iterator[str]:
    """Yield the words of a Literal type, or of a union of them."""
    for part in get_args(kind):
        if isinstance(part, str):
            yield part
        else:
            yield from words_of(part)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: str) -> None:
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", OF_TODAY)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    assert list(missing_paths(page)) == []


def test_every_test_path_that_a_page_names_exists() -> None:
    named = {
        path
        for page in OF_TODAY
        for path in re.findall(r"\btests/[\w./-]+", (ROOT / page).read_text(encoding="utf-8"))
    }

    assert len(named) > 10
    assert [path for path in sorted(named) if not (ROOT / path.rstrip(".")).exists()] == []


@pytest.mark.parametrize("page", OF_TODAY)
def test_every_module_that_a_page_names_exists(page: str) -> None:
    assert list(unknown_modules(page)) == []


def test_the_glossary_has_every_metric_and_every_flag() -> None:
    words = {
        word
        for kind in (Metric, SimilarityMetric, IdentityFlag, SimilarityFlag)
        for word in words_of(kind)
    }
    assert {"hard", "rouge-l", "few-prompts", "partial-layer"} <= words
    assert {f"`{word}`" for word in words} - set(glossary_terms()) == set()


@pytest.mark.parametrize("score", [IdentityScore, SimilarityScore])
def test_the_glossary_names_every_key_of_a_score(score: type[msgspec.Struct]) -> None:
    coded = set(CODE.findall(GLOSSARY)) | {term.strip("`") for term in glossary_terms()}
    assert set(score.__struct_encode_fields__) - coded == set()


def test_the_glossary_names_every_measurement() -> None:
    terms = {term.lower() for term in glossary_terms()}
    assert {measurement.kind for measurement in BUILT_IN} <= terms


def test_the_glossary_is_alphabetical_and_has_each_term_once() -> None:
    terms = [re.sub(r"[^a-z0-9 .-]", "", term.lower()) for term in glossary_terms()]
    assert len(terms) > 100
    assert [pair for pair in pairwise(terms) if pair[0] > pair[1]] == []
    assert len(set(glossary_terms())) == len(terms)


def test_readme_and_architecture_lead_to_the_glossary() -> None:
    for page in ("README.md", "docs/architecture.md"):
        assert "glossary.md" in "".join(LINK.findall(page_text(page)))


def test_the_picture_loads_nothing_from_elsewhere() -> None:
    picture = (ROOT / "docs" / "demo.svg").read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"' )]+", picture) == ["http://www.w3.org/2000/svg"]
    assert "hydrometer demo" in picture


def test_a_broken_link_a_missing_path_and_an_unknown_module_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "[gone](nowhere.md) and [lost](#no-such-heading)\n# Here\n[found](#here)\n"
        "`engine/gone.py`, engine/lost.py, `engine/setup/`, hydrometer.gone, hydrometer.engine\n"
    )
    name = str(page)
    assert list(broken_links(name)) == ["nowhere.md", "#no-such-heading"]
    assert list(missing_paths(name)) == ["engine/gone.py", "engine/lost.py"]
    assert list(unknown_modules(name)) == ["hydrometer.gone"]
