"""Progress display: live lines on a terminal, a plain line every 5 s without one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ....engine.plurals import counted
from ....engine.records.tally import RunProgress
from ....providers.statistics import PoolStatistics
from ..console_text import ConsoleText, safe_text
from .live_layout import LiveLayout, packed
from .live_thread import locked_stderr, repeated
from .pool_text import short_facts

PLAIN_EVERY_S = 5.0
REFRESH_EVERY_S = 0.25
SHOWN_AT_ONCE = 6  # runs in the live display; further ones are counted

_INDENT = 2


class ProgressDisplay:
    """Shows the runs of a command, side by side. It is the command's listener.

    Remarks go to *say*, with *quiet* too: the errors of further runs come as remarks. *quiet* only
    keeps progress from being shown.

    A remark and a refresh of the live lines come from two threads. Each erases the lines that it
    believes to be there, so a lock keeps them apart: otherwise one could erase the other's.
    """

    def __init__(
        self,
        console: Console,
        say: Callable[[str], None],
        *,
        quiet: bool,
        refresh_s: float = REFRESH_EVERY_S,
    ) -> None:
        self._console = console
        self._refresh_s = refresh_s
        self._lock = threading.RLock()
        self._say = say
        self._quiet = quiet
        self._runs: list[RunLine] = []
        self._closing = False

    def say(self, remark: str) -> None:
        """Print a remark."""
        self._say(remark)

    def begins(self, progress: RunProgress) -> None:
        """Show one more run."""
        self._runs.append(RunLine(progress))

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the runs inside the block, and the last state of all of them after it."""
        if self._quiet:
            yield
        elif self._console.is_terminal:
            with Live(self, console=self._console, auto_refresh=False) as live:
                try:
                    with (
                        locked_stderr(self._lock),
                        repeated(lambda: self._refresh(live), self._refresh_s),
                    ):
                        yield
                finally:
                    self._closing = True
        else:
            with repeated(self._print, PLAIN_EVERY_S):
                yield

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a bar and facts for each run in progress, and what all runs share.

        A live display that is higher than the terminal is cut, so runs that find no room are only
        counted.
        """
        runs = tuple(self._runs)
        several = len(runs) > 1
        all_shown = self._closing or not several
        going = runs if all_shown else tuple(run for run in runs if not run.ended)
        width = options.max_width
        layout = LiveLayout(
            width,
            names=[run.name for run in going],
            counts=[run.count() for run in going],
            clocks=[run.elapsed() for run in going],
        )
        footer = self._footer(runs, width) if several else []
        room = console.height - 2 - len(footer)  # a line for the count of runs, one for the cursor
        shown: list[list[Table | Text]] = []
        for run in going[: None if self._closing else SHOWN_AT_ONCE]:
            parts = run.parts(layout, pools=not several)
            if shown and not self._closing and sum(map(len, shown)) + len(parts) > room:
                break
            shown.append(parts)
        for parts in shown:
            yield from map(ConsoleText, parts)
        if count := _count_text(len(runs), len(going), len(shown)):
            yield Text(count, "dim")
        yield from footer

    def _refresh(self, live: Live) -> None:
        with self._lock:
            live.refresh()

    def _footer(self, runs: Sequence[RunLine], width: int) -> list[Text]:
        """Return the state of the pools, which the runs share."""
        facts = short_facts(_pools_of(runs))
        lines = packed([f"all runs: {facts[0]}", *facts[1:]], width) if facts else []
        return [Text(line, "dim") for line in lines]

    def _print(self) -> None:
        runs = tuple(self._runs)
        several = len(runs) > 1
        news = [run for run in runs if run.take_news()]
        lines = [run.line(pools=not several) for run in news]
        if several and news and (facts := short_facts(_pools_of(runs))):
            lines.append(f"all runs: {', '.join(facts)}")
        for line in lines:
            self._console.print(Text(safe_text(line)), soft_wrap=True, highlight=False)


class RunLine:
    """Describes the tally of one run. It only reads the tally, so another thread may call it."""

    def __init__(self, progress: RunProgress) -> None:
        self._run = progress
        self._tally = progress.tally
        self._began = time.monotonic()
        self._recent: list[tuple[float, int]] = []  # (when, units), of the last half minute
        self._ended_printed = False

    @property
    def name(self) -> str:
        """The name of the run, without characters that cannot be printed."""
        return safe_text(self._run.name)

    @property
    def ended(self) -> bool:
        """Whether the run came to its end."""
        return self._tally.finished is not None

    def pools(self) -> Mapping[str, PoolStatistics]:
        """Return the state of the pools of the run."""
        return self._tally.statistics()

    def take_news(self) -> bool:
        """Return whether a plain line is worth printing. The end of a run is printed once."""
        if not (self._tally.attempts or self._tally.units) or self._ended_printed:
            return False
        self._ended_printed = self.ended
        return True

    def count(self) -> str:
        """Return how much of the run is done."""
        return f"{self._tally.units:,}/{counted(self._run.size, self._run.unit)}"

    def elapsed(self) -> str:
        """Return the time since the run began."""
        return clock(time.monotonic() - self._began)

    def facts(self, *, pools: bool = True) -> list[str]:
        """Return what there is to say, most important first; the state of the pools if *pools*."""
        tally, done = self._tally, self._tally.units
        speed = self._speed(done)
        facts = ["" if speed is None else f"{speed:.1f}/s", tally.counts.headline()]
        facts.append(f"sent {tally.attempts}, cached {tally.calls['cache']}")
        if pools:
            facts += short_facts(self.pools())
        if failed := sum(tally.attempts_failed.values()):
            facts.append(f"failed attempts {failed}")
        if tally.calls_failed:
            facts.append(f"calls failed for good {tally.calls_failed}")
        for name in ("failed", "refused", "truncated", "unparsed"):
            if count := tally.counts.states[name]:
                facts.append(f"{name} {count}")
        if self._run.priced:
            facts.append(f"${tally.cost_usd:.2f}")
        if speed and done < self._run.size:
            facts.append(f"{clock((self._run.size - done) / speed)} left")
        return [fact for fact in facts if fact]

    def line(self, *, pools: bool = True) -> str:
        """Return one plain line."""
        return f"{self.name}: {self.count()}, " + ", ".join(self.facts(pools=pools))

    def parts(self, layout: LiveLayout, *, pools: bool = True) -> list[Table | Text]:
        """Return a line with a bar, and lines of facts, for the live display."""
        head = Table.grid(padding=(0, 1, 0, 0))
        head.add_column(width=layout.name, no_wrap=True, overflow="ellipsis")
        cells: list[Text | ProgressBar] = [Text(self.name, "bold")]
        if layout.bar:
            head.add_column(width=layout.bar)
            cells.append(
                ProgressBar(total=self._run.size, completed=self._tally.units, width=layout.bar)
            )
        head.add_column(width=layout.count, justify="right", no_wrap=True)
        head.add_column(width=layout.clock, justify="right", no_wrap=True)
        head.add_row(*cells, Text(self.count()), Text(self.elapsed(), "dim"))
        lines = packed(self.facts(pools=pools), layout.width - _INDENT)
        return [head, *(Text(" " * _INDENT + line, "cyan") for line in lines)]

    def _speed(self, done: int) -> float | None:
        """Return the units a second of the last half minute; None in a run's first second."""
        now = time.monotonic()
        if now - self._began < 1 and not self.ended:
            return None
        self._recent = [*(p for p in self._recent if now - p[0] < 30), (now, done)]
        since, before = self._recent[0]
        if now - since < 1:
            since, before = self._began, 0
        return (done - before) / max(now - since, 1e-9)


def clock(seconds: float) -> str:
    """Return a duration as people write it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _count_text(runs: int, going: int, shown: int) -> str:
    """Return how many runs are not shown, and why; nothing if all are."""
    words = [f"{runs - going} finished"] * (going < runs)
    words += [f"{going - shown} more in progress"] * (shown < going)
    return f"of {runs} runs {', '.join(words)}" if words else ""


def _pools_of(runs: Sequence[RunLine]) -> dict[str, PoolStatistics]:
    """Return the state of all pools; runs may share some, which are the same under one name."""
    return {name: pool for run in runs for name, pool in run.pools().items()}
