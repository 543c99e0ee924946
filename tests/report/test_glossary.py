from __future__ import annotations

import io
from typing import get_args

import msgspec
import pytest
from rich.console import Console, RenderableType
from sample_scores import ONE, RATED, THREE, ToyScore, make_kinship

from hydrometer.report.glossary import entries_for
from hydrometer.report.identity_terms import IDENTITY
from hydrometer.report.similarity_terms import MATRIX, SIMILARITY
from hydrometer.report.tables.identity_table import IDENTITY_COLUMNS
from hydrometer.report.tables.similarity_table import SIMILARITY_COLUMNS
from hydrometer.report.terminal.glossary_view import glossary_view
from hydrometer.report.terminal.scores import identity_view, similarity_view
from hydrometer.report.terminal.scores.pairwise_view import kinship_view
from hydrometer.report.terms import EVERY_SCORE, Glossary, TermEntry
from hydrometer.report.views import VIEWS
from hydrometer.scoring.identity_scores import IdentityFlag, IdentityScore
from hydrometer.scoring.prompt_values import JUDGED, RANGES
from hydrometer.scoring.similarity_scores import SimilarityFlag, SimilarityScore
from hydrometer.strategies.types import Metric

FLAGS = {IDENTITY.title: get_args(IdentityFlag), SIMILARITY.title: get_args(SimilarityFlag)}
METRICS = {IDENTITY.title: get_args(Metric), SIMILARITY.title: tuple(RANGES)}
HEADINGS = {
    IDENTITY.title: {
        *(column.heading for column in IDENTITY_COLUMNS),
        *identity_view.HEADINGS,
    },
    SIMILARITY.title: {
        *(column.heading for column in SIMILARITY_COLUMNS),
        *similarity_view.HEADINGS,
    }
    - {*JUDGED},
}
FIELDS = {
    IDENTITY.title: {*IdentityScore.__struct_fields__},
    SIMILARITY.title: {*SimilarityScore.__struct_fields__},
}
# The diagonal is measured, and a pair is missing.
NO_TREE = make_kinship(("a", "b"), (4.5, None), (None, 4.0), pairs=THREE.pairs, tree=False)

both = pytest.mark.parametrize("glossary", [IDENTITY, SIMILARITY], ids=lambda g: g.title)


def shown(view: RenderableType, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def terms(entries: tuple[TermEntry, ...]) -> list[str]:
    return [entry.term for entry in entries]


@both
def test_every_flag_has_one_entry_and_every_entry_a_flag(glossary: Glossary) -> None:
    assert sorted(terms(glossary.flags + EVERY_SCORE.flags)) == sorted(FLAGS[glossary.title])


@both
def test_every_metric_has_one_entry_and_every_entry_a_metric(glossary: Glossary) -> None:
    assert sorted(terms(glossary.metrics)) == sorted(METRICS[glossary.title])


@both
def test_every_heading_and_key_has_an_entry_and_no_entry_is_unused(glossary: Glossary) -> None:
    columns = EVERY_SCORE.columns + glossary.columns
    shown = HEADINGS[glossary.title] | FIELDS[glossary.title]

    explained = {name for entry in columns for name in (*entry.fields, entry.term, *entry.headings)}
    assert shown <= explained
    for entry in columns:
        assert shown & {*entry.fields, entry.term, *entry.headings}, entry.term


@both
def test_every_key_of_the_json_has_exactly_one_entry(glossary: Glossary) -> None:
    keys = FIELDS[glossary.title]

    explained = [
        key for e in EVERY_SCORE.columns + glossary.columns for key in e.fields if key in keys
    ]
    assert sorted(explained) == sorted(keys)


def test_the_words_of_the_matrix_are_all_explained_by_its_view() -> None:
    lines = shown(kinship_view(NO_TREE))

    assert {term for term in terms(MATRIX) if any(line.startswith(term) for line in lines)} == {
        *terms(MATRIX)
    }


@both
def test_a_meaning_is_one_or_two_sentences(glossary: Glossary) -> None:
    for entry in (*glossary.metrics, *glossary.columns, *glossary.flags, *EVERY_SCORE.columns):
        assert entry.meaning[0].isupper(), entry.term
        assert entry.meaning.endswith("."), entry.term
        assert entry.meaning.count(". ") <= 1, entry.term


def test_the_glossaries_are_those_of_the_views() -> None:
    assert [view.glossary for view in VIEWS] == [IDENTITY, SIMILARITY]


def test_only_metrics_and_flags_that_occur_are_explained() -> None:
    found = entries_for([RATED])

    assert list(found) == [
        "Columns of every score",
        "Metrics of identity scores",
        "Columns of identity scores",
        "Flags of identity scores",
    ]
    assert list(found["Metrics of identity scores"]) == ["loose"]
    assert list(found["Flags of identity scores"]) == ["few-positives", "missing-data"]


def test_two_kinds_have_their_own_meanings_of_one_column() -> None:
    found = entries_for([RATED, msgspec.structs.replace(ONE, flags=("unfinished",))])

    assert found["Columns of identity scores"]["failed"].startswith("Probes")
    assert found["Columns of similarity scores"]["failed"].startswith("Prompts")
    assert list(found["Metrics of similarity scores"]) == ["overall"]
    assert list(found["Flags of similarity scores"]) == ["unfinished"]


def test_an_unknown_kind_is_explained_as_far_as_it_is_known() -> None:
    found = entries_for([ToyScore(run="a", target="a", flags=("unfinished", "odd"))])

    assert list(found["Columns of every score"]) == ["run", "target", "kind", "metric", "flags"]
    assert list(found["Flags of other scores"]) == ["unfinished"]


def test_without_scores_nothing_is_explained() -> None:
    assert entries_for([]) == {}


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_glossary_fits_the_terminal(width: int) -> None:
    lines = shown(glossary_view([RATED, ONE]), width)

    assert max(map(len, lines)) <= width
    assert "Metrics of identity scores" in lines
    assert "…" not in "".join(lines)


@both
def test_the_glossary_breaks_no_word_at_60_columns(glossary: Glossary) -> None:
    scores = [RATED] if glossary is IDENTITY else [ONE]

    words = {word for line in shown(glossary_view(scores), 60) for word in line.split()}
    whole = {word for line in shown(glossary_view(scores), 400) for word in line.split()}
    assert words - whole == set()
