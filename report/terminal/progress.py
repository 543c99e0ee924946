"""What a run shows while it goes: one live line on a terminal, one line every 5 s without."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import fmean

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ...engine.records.event_log import Tally
from .pool_text import short_facts

PLAIN_EVERY_S = 5.0
GRADED = "overall"  # the metric that is a grade, of prompts instead of probes


class Progress:
    """Describes a tally; it only reads, so that it may run in a thread of its own."""

    def __init__(self, name: str, probes: int, tally: Tally, *, metric: str, priced: bool) -> None:
        self._name = name
        self._probes = probes
        self._tally = tally
        self._metric = metric
        self._noun = "prompts" if metric == GRADED else "probes"
        self._priced = priced
        self._began = time.monotonic()
        self._recent: list[tuple[float, int]] = []  # (when, probes), of the last half minute

    def facts(self) -> list[str]:
        """Return what there is to say, most wanted first."""
        tally, done = self._tally, self._tally.probes
        speed = self._speed(done)
        facts = [f"{speed:.1f}/s", self._found()]
        sent, cached = tally.attempts, tally.calls["cache"]
        facts.append(f"sent {sent}, cached {cached}")
        facts += short_facts(tally.statistics())
        if failed := sum(tally.attempts_failed.values()):
            facts.append(f"failed attempts {failed}")
        if tally.calls_failed:
            facts.append(f"calls failed for good {tally.calls_failed}")
        # Of probes the calls say it; of prompts, a score counts those that fell to them.
        failed_prompts = ("failed",) if self._metric == GRADED else ()
        for name in (*failed_prompts, "refused", "truncated", "unparsed"):
            if count := tally.states[name]:
                facts.append(f"{name} {count}")
        if self._priced:
            facts.append(f"${tally.cost_usd:.2f}")
        if speed > 0 and done < self._probes:
            facts.append(f"{clock((self._probes - done) / speed)} left")
        return facts

    def _found(self) -> str:
        """Return what has been measured so far: a mean grade, or a share of positives."""
        if self._metric == GRADED:
            return _mean_grade(self._tally.grades)
        judged = self._tally.judged[self._metric]
        positives = self._tally.positives[self._metric]
        share = f" ({positives / judged:.1%})" if judged else ""
        return f"{self._metric} {positives} of {judged}{share}"

    @property
    def begun(self) -> bool:
        """Whether anything has happened that is worth a line."""
        return bool(self._tally.attempts or self._tally.probes)

    def line(self) -> str:
        """Return one plain line."""
        return f"{self._name}: {self._tally.probes}/{self._probes} {self._noun}, " + ", ".join(
            self.facts()
        )

    def __rich__(self) -> Group:
        head = Table.grid(padding=(0, 1))
        head.add_row(
            Text(self._name, style="bold"),
            ProgressBar(total=self._probes, completed=self._tally.probes, width=32),
            Text(f"{self._tally.probes}/{self._probes} {self._noun}"),
            Text(clock(time.monotonic() - self._began), style="dim"),
        )
        return Group(head, Text("  " + " · ".join(self.facts()), style="cyan"))

    def _speed(self, done: int) -> float:
        now = time.monotonic()
        self._recent = [*(p for p in self._recent if now - p[0] < 30), (now, done)]
        since, before = self._recent[0]
        if now - since < 1:
            since, before = self._began, 0
        return (done - before) / max(now - since, 1e-9)


@contextmanager
def show_progress(progress: Progress, console: Console, *, quiet: bool) -> Iterator[None]:
    """Show *progress* on *console* inside the block, and its last state after it."""
    if quiet:
        yield
    elif console.is_terminal:
        with Live(progress, console=console, refresh_per_second=4):
            yield
    else:
        with _repeated(lambda: _print(progress, console)):
            yield


def _print(progress: Progress, console: Console) -> None:
    if progress.begun:
        console.print(progress.line(), soft_wrap=True, highlight=False)


@contextmanager
def _repeated(say: Callable[[], None]) -> Iterator[None]:
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(PLAIN_EVERY_S):
            say()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        say()


def _mean_grade(grades: Mapping[str, Sequence[float]]) -> str:
    """Return the mean over the sets begun so far; how many shows what is not in it yet."""
    means = [fmean(tuple(of_set)) for of_set in tuple(grades.values())]  # as it grows
    if not means:
        return "nothing graded"
    return f"overall {fmean(means):.3f} over {len(means)} set{'s' if len(means) > 1 else ''}"


def clock(seconds: float) -> str:
    """Return a duration as people write it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
