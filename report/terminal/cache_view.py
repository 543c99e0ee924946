"""Cache views: what the cache holds, the result of a check, and one stored answer."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ...cache.inspection.explain import Explanation
from ...cache.inspection.verify import Verification
from ...cache.store import StoreInfo
from .cache_text import (
    FactLine,
    Passage,
    explained_facts,
    explained_passages,
    printable,
    printable_lines,
    verification_facts,
    verification_headline,
)

_STYLES = {"plain": "", "good": "green", "bad": "red"}


def cache_view(info: StoreInfo) -> RenderableType:
    """Return where the cache is, and how much it holds."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row("cache", Text(printable(info.folder)))
    grid.add_row("answers", f"{info.entries:,}")
    grid.add_row("on disk", f"{info.size_bytes / 1e6:,.1f} MB")
    grid.add_row("key version", str(info.key_version))
    return grid


def verification_view(found: Verification) -> RenderableType:
    """Return the result of a check of the cache, with a line for each damaged answer."""
    headline = Text(verification_headline(found), "bold green" if found.all_sound else "bold red")
    wrong = _pairs()
    for damage in found.named:
        # Twelve digits find it again, and leave room for what is wrong.
        wrong.add_row(Text(printable(damage.key)[:12], "cyan"), Text(printable(damage.rule)))
    if more := found.damaged - len(found.named):
        wrong.add_row("", Text(f"and {more:,} more", "dim"))
    for words in found.database:
        wrong.add_row(Text("database", "cyan"), Text(printable(words)))
    parts = [headline, _facts_view(verification_facts(found))]
    return Group(*parts, *([] if found.all_sound else [Padding(wrong, (0, 0, 1, 2))]))


def explanation_view(found: Explanation, *, whole: bool) -> RenderableType:
    """Return a stored answer as a page: its facts, then the texts of the exchange in order."""
    passages = [_passage_view(said) for said in explained_passages(found, whole=whole)]
    return Group(
        Text(f"answer {found.key}", "bold red" if found.damage else "bold"),
        _facts_view(explained_facts(found)),
        *passages,
    )


def _facts_view(facts: Sequence[FactLine]) -> RenderableType:
    grid = _pairs()
    for fact in facts:
        grid.add_row(Text(fact.name, "dim"), Text(printable(fact.value), _STYLES[fact.tone]))
    return Padding(grid, (0, 0, 1, 2))


def _passage_view(said: Passage) -> RenderableType:
    text = Text(printable_lines(said.text)) if said.text else Text("(nothing)", "dim")
    if said.omitted:
        text.append(f"\n... {said.omitted:,} more characters, with -v", "dim")
    title = Text(said.title, "bold cyan")
    return Group(title, Padding(text, (0, 0, 1, 2)))


def _pairs() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    return grid
