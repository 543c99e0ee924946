from __future__ import annotations

import io
import sys
import threading
from collections import Counter

import pytest
from rich.console import Console, ConsoleRenderable, RenderHook
from screen import screen

from hydrometer.engine.records.events import Event, Finished
from hydrometer.engine.records.tally import RunProgress, Tally
from hydrometer.providers.statistics import EndpointStatistics, PoolStatistics
from hydrometer.report.terminal.live.live_layout import packed
from hydrometer.report.terminal.live.progress import ProgressDisplay


class FixedCounts:
    """Counts that a test sets."""

    def __init__(self, units: int, headline: str) -> None:
        self.units = units
        self.states: Counter[str] = Counter()
        self._headline = headline

    def add(self, event: Event) -> None:
        pass

    def headline(self) -> str:
        return self._headline


POOLS = {"helper": PoolStatistics(endpoints=(EndpointStatistics(in_flight=7, rate=90),))}


def make_run(name: str = "qwen", *, units: int = 300) -> RunProgress:
    tally = Tally(FixedCounts(units, "loose 12 of 300 (4.0%)"))
    tally.attempts = 512
    tally.calls["cache"] = 40
    tally.statistics = lambda: POOLS
    return RunProgress(name=name, unit="probes", size=600, tally=tally)


def make_runs(number: int) -> list[RunProgress]:
    return [make_run(f"target-{place}-of-a-long-name", units=place) for place in range(number)]


def end(progress: RunProgress) -> None:
    progress.tally.finished = Finished(reason="probes", tickets=60, units=600)


def to_stderr(remark: str) -> None:
    sys.stderr.write(f"{remark}\n")


def make_console(*, width: int = 80, height: int = 24, terminal: bool = True) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=width,
        height=height,
        color_system=None,
        _environ={},
    )


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def on_screen(console: Console) -> list[str]:
    """Return what a terminal shows in the end; it begins a line at the left by itself."""
    return screen(written(console).replace("\n", "\r\n"), columns=console.width)


def live_lines(runs: list[RunProgress], *, width: int = 80, height: int = 24) -> list[str]:
    """Return what the live display shows of *runs* in the middle of the work."""
    console = make_console(width=width, height=height, terminal=False)
    display = ProgressDisplay(console, to_stderr, quiet=False)
    for progress in runs:
        display.begins(progress)
    console.print(display)
    return [line.rstrip() for line in written(console).splitlines()]


def test_one_run_has_a_line_with_its_count_and_a_line_of_facts() -> None:
    head, facts = live_lines([make_run()])

    assert head.split()[0] == "qwen"
    assert head.split()[-3:] == ["300/600", "probes", "0:00"]
    assert "loose 12 of 300 (4.0%) · sent 512, cached 40" in facts
    assert facts.endswith("in flight 7 · 90/min")


def test_runs_stand_below_each_other_with_their_counts_in_one_column() -> None:
    lines = live_lines(make_runs(3))

    heads = [line for line in lines if line.startswith("target-")]
    assert [head.split()[0] for head in heads] == [
        f"target-{place}-of-a-long-name" for place in range(3)
    ]
    assert len({head.index("/600 probes") for head in heads}) == 1


def test_state_of_the_shared_pools_is_shown_once() -> None:
    lines = live_lines(make_runs(3))

    assert "\n".join(lines).count("in flight 7") == 1
    assert lines[-1] == "all runs: in flight 7 · 90/min"


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("number", [1, 3, 12])
def test_no_width_breaks_a_fact_or_makes_a_line_too_long(number: int, width: int) -> None:
    lines = live_lines(make_runs(number), width=width, height=50)

    text = "\n".join(lines)
    shown = min(number, 6)
    assert max(map(len, lines)) <= width
    assert text.count("loose 12 of 300 (4.0%)") == shown
    assert text.count("sent 512, cached 40") == shown
    assert text.count("/600 probes") == shown


def test_more_runs_than_are_shown_are_counted() -> None:
    assert "of 12 runs 6 more in progress" in live_lines(make_runs(12), width=200)


def test_a_low_terminal_shows_the_runs_that_fit_and_counts_the_others() -> None:
    lines = live_lines(make_runs(12), width=200, height=8)

    assert len(lines) < 8
    assert sum(line.startswith("target-") for line in lines) == 2
    assert "of 12 runs 10 more in progress" in lines


def test_a_run_that_ended_makes_room_for_one_that_goes_on() -> None:
    runs = make_runs(12)
    for progress in runs[:7]:
        end(progress)

    lines = live_lines(runs, width=200)

    heads = [line for line in lines if line.startswith("target-")]
    assert [head.split("-")[1] for head in heads] == ["7", "8", "9", "10", "11"]
    assert "of 12 runs 7 finished" in lines


def test_names_cannot_steer_the_terminal() -> None:
    lines = live_lines([make_run("\x1b[2Ja\nb")])

    assert lines[0].startswith("?[2Ja?b ")


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("number", [1, 3, 12])
def test_no_remark_is_lost_and_every_run_stays_on_the_terminal(number: int, width: int) -> None:
    console = make_console(width=width)
    display = ProgressDisplay(console, to_stderr, quiet=False)
    runs = make_runs(number)

    with display.shown():
        for place, progress in enumerate(runs):
            display.begins(progress)
            display.say(f"hydrometer: remark {place:02} on {progress.name}")
        for progress in runs:
            end(progress)
            display.say(f"hydrometer: {progress.name} ended")

    lines = on_screen(console)
    whole = "".join(lines)
    for place, progress in enumerate(runs):
        assert whole.count(f"hydrometer: remark {place:02} on {progress.name}") == 1
        assert whole.count(f"hydrometer: {progress.name} ended") == 1
    heads = [line.split()[0] for line in lines if "/600 probes" in line]
    assert heads == [progress.name for progress in runs]


class RefreshWatch(RenderHook):
    """Holds the first remark between counting the lines to erase and drawing, for a refresh."""

    def __init__(self) -> None:
        self.held = threading.Event()
        self.refreshed = threading.Event()
        self.overlapped = False

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        if threading.current_thread() is not threading.main_thread():
            if self.held.is_set():
                self.refreshed.set()
        elif not self.held.is_set():
            self.held.set()
            self.overlapped = self.refreshed.wait(0.2)
        return renderables


def test_a_refresh_waits_until_a_remark_has_been_drawn() -> None:
    console = make_console()
    display = ProgressDisplay(console, to_stderr, quiet=False, refresh_s=0.01)
    watch = RefreshWatch()

    with display.shown():
        display.begins(make_run())
        console.push_render_hook(watch)
        display.say("hydrometer: something was repaired")
        console.pop_render_hook()

    assert watch.held.is_set()
    assert not watch.overlapped
    assert on_screen(console).count("hydrometer: something was repaired") == 1


def test_a_remark_is_kept_where_the_command_fails() -> None:
    console = make_console()
    display = ProgressDisplay(console, to_stderr, quiet=False)

    def fail() -> None:
        with display.shown():
            display.begins(make_run())
            display.say("hydrometer: something was repaired")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    lines = on_screen(console)
    assert lines.count("hydrometer: something was repaired") == 1
    assert sum("300/600 probes" in line for line in lines) == 1


def test_without_a_terminal_every_run_has_a_plain_line_at_the_end() -> None:
    console = make_console(terminal=False)
    display = ProgressDisplay(console, to_stderr, quiet=False)

    with display.shown():
        for progress in make_runs(3):
            display.begins(progress)
            end(progress)

    lines = written(console).splitlines()
    assert "\x1b" not in written(console)
    assert [line.split(",")[0] for line in lines[:3]] == [
        f"target-{place}-of-a-long-name: {place}/600 probes" for place in range(3)
    ]
    assert lines[3:] == ["all runs: in flight 7, 90/min"]


def test_without_a_terminal_the_end_of_a_run_is_printed_once() -> None:
    console = make_console(terminal=False)
    display = ProgressDisplay(console, to_stderr, quiet=False)
    first, second = make_runs(2)

    with display.shown():
        display.begins(first)
        end(first)
    with display.shown():
        display.begins(second)

    text = written(console)
    assert text.count(first.name) == text.count(second.name) == 1


def test_a_run_that_has_sent_nothing_has_no_plain_line() -> None:
    console = make_console(terminal=False)
    display = ProgressDisplay(console, to_stderr, quiet=False)

    with display.shown():
        display.begins(RunProgress(name="qwen", unit="probes", size=9, tally=Tally()))

    assert written(console) == ""


def test_quiet_shows_no_progress_and_keeps_remarks(capsys: pytest.CaptureFixture[str]) -> None:
    console = make_console()
    display = ProgressDisplay(console, to_stderr, quiet=True)

    with display.shown():
        display.begins(make_run())
        display.say("hydrometer: run b: refused")

    assert written(console) == ""
    assert capsys.readouterr().err == "hydrometer: run b: refused\n"


def test_facts_are_packed_without_breaking_one() -> None:
    assert packed(["a b", "c", "long fact"], 7) == ["a b · c", "long fact"]
    assert packed([], 7) == []
