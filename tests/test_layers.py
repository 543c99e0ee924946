"""The import graph of DESIGN: requests go down, facts come out, and each library has one home."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

ROOT = Path(str(resources.files("hydrometer")))

# A module may import what its entry names: a package, or one module of it.
ALLOWED = {
    "providers": {"providers"},
    "cache": {"cache", "providers"},
    "strategies": {"strategies", "providers.types"},
    "engine": {"engine", "cache", "providers", "strategies"},
    "scoring": {"scoring", "strategies.types", "strategies.similarity.similarity_types"},
    "report": {"report", "scoring", "engine.events"},
    "commands": {
        *("commands", "engine", "cache", "providers", "strategies", "scoring", "report", "data"),
        "__version__",
    },
    "data": set(),
}

HOMES = {
    "aiohttp": {"providers/http/http_adapter.py", "providers/simulation/server/simulator.py"},
    "tenacity": {"providers/limits/retry.py"},
    "diskcache": {"cache/disk.py"},
    "structlog": {"engine/records/event_log.py"},
    "numpy": {"scoring/"},
    "typer": {"cli.py"},
    "rich": {
        *("cli.py", "commands/batch.py", "report/terminal/progress.py", "report/terminal/views.py"),
        *(
            "report/terminal/columns.py",
            "report/terminal/pairwise_view.py",
            "report/terminal/similarity_view.py",
        ),
        "report/terminal/identity_view.py",
    },
    "openai": {"providers/openai/openai_adapter.py", "providers/openai/openai_tokens.py"},
    "vllm": set(),
    "scipy": set(),
}

PURE = (
    "strategies",
    "engine/ice/search.py",
    "engine/ice/policies.py",
    "engine/rse/prompt_sets.py",
    "engine/calls/stages.py",
    "engine/setup/plan.py",
    "engine/ice/ice_fold.py",
)
IMPURE = {"anyio", "asyncio", "time", "datetime", "os", "pathlib", "socket", "aiohttp", "threading"}


def modules() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).parts
        if parts[0] in ALLOWED or len(parts) == 1:
            yield path


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield (dotted name, whether it is ours) for every import in *path*."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, False
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or "", False
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - (node.level - 1)]
            if node.module is not None:
                yield ".".join((*base, node.module)), True
            else:
                for alias in node.names:
                    yield ".".join((*base, alias.name)), True


def test_there_are_modules_to_check() -> None:
    assert len(list(modules())) > 40


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_follow_the_arrows(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        if path.relative_to(ROOT).parts[0] == package
        for name, ours in imports(path)
        if ours and not any(name == ok or name.startswith(f"{ok}.") for ok in ALLOWED[package])
    ]

    assert wrong == []


@pytest.mark.parametrize("library", sorted(HOMES))
def test_each_library_has_one_home(library: str) -> None:
    strangers = [
        str(path.relative_to(ROOT))
        for path in modules()
        for name, ours in imports(path)
        if not ours
        and name.split(".")[0] == library
        and not any(str(path.relative_to(ROOT)).startswith(home) for home in HOMES[library])
    ]

    assert strangers == []


def test_inside_the_package_imports_are_relative() -> None:
    absolute = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        for name, ours in imports(path)
        if not ours and name.split(".")[0] == "hydrometer"
    ]

    assert absolute == []


@pytest.mark.parametrize("place", PURE)
def test_decisions_touch_no_clock_file_or_task(place: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        if str(path.relative_to(ROOT)).startswith(place)
        for name, ours in imports(path)
        if not ours and name.split(".")[0] in IMPURE
    ]
    awaits = [
        str(path.relative_to(ROOT))
        for path in modules()
        if str(path.relative_to(ROOT)).startswith(place)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.AsyncFunctionDef)
        if not str(path.relative_to(ROOT)).endswith("base.py")
    ]

    assert wrong == []
    assert awaits == []


def test_the_package_list_is_that_of_the_folders() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {
        "hydrometer" if folder == ROOT else f"hydrometer.{folder.relative_to(ROOT)}"
        for folder in (file.parent for file in ROOT.rglob("__init__.py"))
        if not any(part.startswith(".") or part in {"build", "tests"} for part in
                   folder.relative_to(ROOT).parts)
    }  # fmt: skip

    assert set(settings["packages"]) == folders - {"hydrometer.bench"}
    assert set(settings["package-dir"]) == set(settings["packages"])


def test_the_root_holds_only_the_public_face() -> None:
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py", "__main__.py", "cli.py"}
