"""What commands other than ``score`` print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ...cache.explain import Explanation
from ...cache.store import StoreInfo
from ...cache.verify import Verification
from ...commands.demo import DemoComparison, DemoRun
from ...commands.preview import Preview
from ...scoring.means import OVER_SETS
from ..tables.formats import interval_text, rate_text
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
from .progress import clock

_STYLES = {"plain": "", "good": "green", "bad": "red"}


def demo_view(runs: Sequence[DemoRun]) -> RenderableType:
    """Return the demo's scores beside the truth, within 80 columns."""
    table = _table("Identity consistency of simulated targets, beside what was planted")
    for heading in ("target", "metric"):
        table.add_column(heading, no_wrap=True)
    for heading in ("planted", "measured", "rate", "95% interval", "1st→2nd half"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("replay", no_wrap=True)
    for run in runs:
        truth = {"loose": run.planted.loose, "strict": run.planted.strict}
        halves = f"{run.planted.first_half:.0%}→{run.planted.second_half:.0%}"
        for score in run.scores:
            first = score is run.scores[0]
            planted = truth.get(score.metric)
            table.add_row(
                run.name if first else "",
                score.metric,
                "" if planted is None else f"{planted}/{run.planted.probes}",
                f"{score.positives}/{score.judged}",
                rate_text(score.rate),
                interval_text(score.low, score.high),
                halves if first else "",
                ("differs" if run.replay.difference else "same") if first else "",
            )
    notes = Text(
        "\nplanted   responses that really claim another identity (strict: OpenAI's or\n"
        "          Anthropic's); the simulated judge errs in 2 of 100 replies\n"
        "halves    of the search, as planted: where some templates work better, the\n"
        "          second half asks more of those\n"
        "hard      strict, though the prompt named no such vendor\n"
        "replay    the run once more, from the cache alone, byte for byte",
        style="dim",
    )
    return Group(table, notes)


def demo_comparison_view(runs: Sequence[DemoComparison]) -> RenderableType:
    """Return how alike the demo's writers were found, within 80 columns."""
    table = _table("Response similarity of simulated writers to one reference, 1 to 5")
    table.add_column("planted", no_wrap=True)
    for heading in ("style", "logic", "content", "overall", "95% interval", "chars"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("replay", no_wrap=True)
    ceiling = None
    for run in runs:
        means = {score.metric: score for score in run.scores if score.set == OVER_SETS}
        overall = means["overall"]
        ceiling = overall.ceiling
        table.add_row(
            run.relation,
            *(f"{means[name].mean or 0:.2f}" for name in ("style", "logic", "content")),
            f"{overall.mean or 0:.3f}",
            f"{overall.low or 0:.3f}–{overall.high or 0:.3f}",
            f"{means['chars'].mean or 0:.2f}",
            "differs" if run.replay.difference else "same",
        )
    notes = Text(
        f"\noverall   mean of the three; the reference's own second draw gets {ceiling or 0:.3f}\n"
        "chars     what two texts share in runs of characters, 0 to 1; no judge is asked",
        style="dim",
    )
    return Group(table, notes)


def preview_view(
    previews: Sequence[Preview], cache: Path, budgets: Sequence[str] = ()
) -> RenderableType:
    """Return what each plan would send."""
    parts: list[RenderableType] = []
    for preview in previews:
        table = _table(preview.title)
        table.add_column("role", no_wrap=True)
        table.add_column("model", no_wrap=True)
        for heading in ("calls", "tokens in", "out", "cost", "time"):
            table.add_column(heading, justify="right", no_wrap=True)
        for role in preview.roles:
            table.add_row(
                role.role,
                role.model,
                f"{role.calls:,}",
                f"{role.input_tokens:,}",
                f"{role.output_tokens:,}",
                _cost(role.cost_usd),
                clock(role.seconds),
            )
        covered = (
            "the whole run"
            if preview.complete
            else f"the first {preview.cached_probes} {preview.unit}"
        )
        cached = f"cached: {covered} ({preview.cached_calls:,} calls found in {cache})"
        if not preview.cached_calls:
            cached = f"cached: nothing yet in {cache}"
        parts += [table, Text(cached), Text("")]
    parts += [Text(line, style="yellow") for line in budgets]
    parts.append(
        Text(
            "Nothing was sent. Tokens are estimates from the texts' lengths, and times assume\n"
            "2 s a call within the set slots, rpm and tpm.",
            style="dim",
        )
    )
    return Group(*parts)


def _cost(cost_usd: float | None) -> str:
    if cost_usd is None:
        return "no price"
    return f"${cost_usd:.2f}" if cost_usd else "free"


def cache_view(info: StoreInfo) -> RenderableType:
    """Return how much is stored."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row("cache", info.folder)
    grid.add_row("answers", f"{info.entries:,}")
    grid.add_row("on disk", f"{info.size_bytes / 1e6:,.1f} MB")
    grid.add_row("key version", str(info.key_version))
    return grid


def verification_view(found: Verification) -> RenderableType:
    """Return what a check of the cache found, with a line for each damaged answer."""
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
    """Return a stored answer as a page: its facts, then what was said, in order."""
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


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1))
