"""Plan view: the calls, tokens, cost and time that runs would need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from ...engine.estimates import Preview, add_roles
from ...engine.plurals import counted
from ...engine.setup.token_figures import CALL_S
from .columns import plain_table
from .console_text import ConsoleText, safe_text
from .live.progress import clock


def preview_view(
    previews: Sequence[Preview], cache: Path, budgets: Sequence[str] = ()
) -> RenderableType:
    """Return what each plan would send, and how much of it *cache* holds."""
    parts: list[RenderableType] = []
    for preview in previews:
        table = plain_table(safe_text(preview.title))
        table.add_column("role", no_wrap=True)
        table.add_column("model", overflow="fold")
        for heading in ("calls", "tokens in", "out", "cost", "time"):
            table.add_column(heading, justify="right", no_wrap=True)
        for role in preview.roles:
            table.add_row(
                role.role,
                Text(role.model),
                f"{role.calls:,}",
                f"{role.input_tokens:,}",
                f"{role.output_tokens:,}",
                _cost(role.cost_usd),
                clock(role.seconds),
            )
        parts += [table, Text(f"cached: {_cached(preview, cache)}"), Text("")]
    parts += map(Text, _together(previews))
    parts += [Text(line, style="yellow") for line in budgets]
    parts.append(
        Text(
            "Nothing was sent. Tokens are estimated from the lengths of the texts. Times assume "
            f"{CALL_S:g} s a call, within the slots, rpm and tpm that are set.",
            style="dim",
        )
    )
    return ConsoleText(Group(*parts))


def _cached(preview: Preview, cache: Path) -> str:
    """Return how much of a plan the cache covers, from its first unit on."""
    if not preview.cached_calls:
        return f"nothing yet in {cache}"
    found = f"{counted(preview.cached_calls, 'calls')} found in {cache}"
    if preview.complete:
        return f"the whole run ({found})"
    if not preview.cached_units:
        return f"no whole {preview.unit.removesuffix('s')} yet ({found})"
    first = "the first" if preview.cached_units == 1 else f"the first {preview.cached_units:,}"
    unit = counted(preview.cached_units, preview.unit).split(" ", 1)[1]
    return f"{first} {unit} ({found})"


def _together(previews: Sequence[Preview]) -> list[str]:
    """Return the sum over all plans, and what of it is left to send if a part is cached."""
    total = add_roles([role for preview in previews for role in preview.roles])
    cost = _sum(total.cost_usd, total.unpriced)
    lines = [
        f"together: {counted(total.calls, 'calls')}, {cost}, about {clock(total.seconds)} "
        "(roles work side by side)"
    ]
    if total.left_calls < total.calls:
        left = _sum(total.left_usd, total.unpriced if total.left_calls else ())
        lines.append(f"left to send: {counted(total.left_calls, 'calls')}, {left}")
    return [*lines, ""]


def _sum(cost_usd: float, unpriced: Sequence[str]) -> str:
    """Return a cost, and which models it leaves out."""
    if not unpriced:
        return _cost(cost_usd)
    names = ", ".join(map(safe_text, unpriced))
    return f"{_cost(cost_usd)} without {names}" if cost_usd else f"no price for {names}"


def _cost(cost_usd: float | None) -> str:
    if cost_usd is None:
        return "no price"
    return f"${cost_usd:.2f}" if cost_usd else "free"
