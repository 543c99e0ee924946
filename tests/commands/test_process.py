"""What the command line changes of its process: signal handlers, and the garbage collector."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from processes import HANG_S, command, environment, simulator, stats, wait_until, write_config

from hydrometer.command_line.process import STOPS, interruptible, stoppable, tuned_gc
from hydrometer.engine.errors import RunStopped

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class FakeSession:
    """A session with calls in flight, which end when they are abandoned."""

    def __init__(self, in_flight: int = 3) -> None:
        self.abandoned = anyio.Event()
        self._in_flight = in_flight

    def abandon(self) -> None:
        self.abandoned.set()

    def in_flight(self) -> int:
        return 0 if self.abandoned.is_set() else self._in_flight


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in HANDLED]


async def run_until_stopped(
    session: FakeSession, said: list[str], body: Callable[[], object] = lambda: None
) -> None:
    """Run *body* in a stoppable block, and sleep there until something ends it."""
    async with stoppable(session, said.append, lambda: ("target: 1 of 2", "judge: 0 of 2")):
        body()
        await anyio.sleep_forever()


@pytest.mark.parametrize("number", STOPS)
async def test_the_first_signal_cancels_the_block_and_says_what_is_waited_for(
    number: signal.Signals,
) -> None:
    session, said = FakeSession(), list[str]()

    with pytest.raises(RunStopped, match="interrupted") as stopped:
        await run_until_stopped(session, said, lambda: signal.raise_signal(number))

    assert stopped.value.cause == "interrupted"
    assert said == [
        "stopping: waiting for 3 calls in flight; press Ctrl-C again to drop them",
    ]
    assert not session.abandoned.is_set()


async def test_without_calls_in_flight_nothing_is_said() -> None:
    said: list[str] = []

    with pytest.raises(RunStopped):
        await run_until_stopped(FakeSession(0), said, lambda: signal.raise_signal(signal.SIGINT))

    assert said == []


@pytest.mark.parametrize("second", STOPS)
async def test_the_second_signal_abandons_the_calls_that_the_first_one_waits_for(
    second: signal.Signals,
) -> None:
    session, said = FakeSession(), list[str]()
    cancelled = anyio.Event()

    async def call() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()
            with anyio.CancelScope(shield=True):  # paid for: only abandoning ends it
                await session.abandoned.wait()

    async def interrupt() -> None:
        signal.raise_signal(signal.SIGINT)
        await cancelled.wait()
        await anyio.wait_all_tasks_blocked()
        assert not session.abandoned.is_set()
        signal.raise_signal(second)

    async def run() -> None:
        async with stoppable(session, said.append, tuple):
            await call()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(interrupt)
        with pytest.raises(RunStopped):
            await run()

    assert session.abandoned.is_set()
    assert len(said) == 1


async def test_a_second_signal_while_the_first_was_not_read_raises_keyboard_interrupt() -> None:
    session = FakeSession()

    async def run() -> None:
        async with stoppable(session, list[str]().append, tuple):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        await run()
    await anyio.wait_all_tasks_blocked()

    assert session.abandoned.is_set()


async def test_sigusr1_prints_the_state_and_stops_nothing() -> None:
    session, said = FakeSession(), list[str]()

    async with stoppable(session, said.append, lambda: ("target: 1 of 2", "judge: 0 of 2")):
        for _ in range(2):
            signal.raise_signal(signal.SIGUSR1)
            await anyio.wait_all_tasks_blocked()

    assert said == ["target: 1 of 2", "judge: 0 of 2"] * 2


async def test_a_signal_too_late_to_cancel_anything_stops_the_command_all_the_same() -> None:
    with pytest.raises(RunStopped):
        async with stoppable(FakeSession(), list[str]().append, tuple):
            signal.raise_signal(signal.SIGTERM)  # and no checkpoint after it


async def test_sigusr1_at_the_very_end_stops_nothing() -> None:
    async with stoppable(FakeSession(), list[str]().append, tuple):
        signal.raise_signal(signal.SIGUSR1)


async def test_an_error_of_the_block_is_raised_as_it_is_with_its_cause() -> None:
    cause = OSError("why")

    with pytest.raises(LookupError, match="inside") as raised:
        async with stoppable(FakeSession(), list[str]().append, tuple):
            raise LookupError("inside") from cause

    assert raised.value.__cause__ is cause


async def test_cancellation_from_outside_is_not_taken_for_a_signal() -> None:
    with anyio.CancelScope() as scope:
        async with stoppable(FakeSession(), list[str]().append, tuple):
            scope.cancel()
            await anyio.sleep_forever()

    assert scope.cancelled_caught


async def test_a_signal_wakes_a_loop_that_waits(tmp_path: Path) -> None:
    """The signal comes from outside, while the loop sleeps in its selector."""
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))

    with pytest.raises(RunStopped):
        await run_until_stopped(FakeSession(), [], timer.start)

    timer.join()


@pytest.mark.parametrize("number", [None, *HANDLED])
async def test_stoppable_leaves_the_handlers_as_they_were(number: signal.Signals | None) -> None:
    before = handlers()

    try:
        async with stoppable(FakeSession(), list[str]().append, tuple):
            assert all(one != other for one, other in zip(handlers(), before, strict=True))
            if number is not None:
                signal.raise_signal(number)
    except RunStopped:
        assert number in STOPS

    assert handlers() == before


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_in_an_interruptible_block_is_a_keyboard_interrupt(
    number: signal.Signals,
) -> None:
    before = handlers()

    interrupted = False
    with interruptible():
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            interrupted = True

    assert interrupted
    assert handlers() == before


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_in_an_event_loop_of_an_interruptible_block_cancels_its_task(
    number: signal.Signals,
) -> None:
    seen: list[str] = []

    async def work() -> None:
        signal.raise_signal(number)
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            seen.append("cancelled")
            raise

    with pytest.raises(KeyboardInterrupt), interruptible():
        anyio.run(work)

    assert seen == ["cancelled"]


def test_garbage_collection_is_tuned_inside_the_block_alone() -> None:
    before = gc.get_threshold(), gc.get_freeze_count()

    inside = []

    def fail() -> None:
        inside.append((gc.get_threshold(), gc.get_freeze_count() > 0))
        raise LookupError

    with pytest.raises(LookupError), tuned_gc():
        fail()

    assert inside == [((20_000, 20, 20), True)]
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


# Real processes


def start(folder: Path, config: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(
            *("ice", config, "--out", folder / "run"),
            *("--cache", folder / "cache", "-q", "--no-preflight"),
        ),
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("second", STOPS)
def test_a_second_ctrl_c_drops_calls_that_would_take_for_ever(
    tmp_path: Path, second: signal.Signals
) -> None:
    hour_ms = 3_600_000
    with simulator("--latency-ms", str(hour_ms)) as url:
        config = write_config(tmp_path, url)
        config.write_text(config.read_text().replace("timeout_s = 20", "timeout_s = 4000"))
        process = start(tmp_path, config)
        wait_until(lambda: stats(url)["calls"] > 0, process)
        process.send_signal(signal.SIGUSR1)
        assert process.stderr is not None
        state = [process.stderr.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        waiting = process.stderr.readline()
        process.send_signal(second)
        _, said = process.communicate(timeout=HANG_S)

    assert process.returncode == 130
    assert [line.split(":")[1].strip() for line in state] == ["helper", "judge", "target"]
    assert waiting.startswith("hydrometer: stopping: waiting for ")
    assert said == (
        "hydrometer: interrupted\n"
        "hydrometer: everything received is kept: go on with the same command and --resume\n"
    )


HANGING = """
import sys, time
from typing import ClassVar
import msgspec
import hydrometer
from hydrometer.cli import build_app
from hydrometer.strategies.base import Choice

class Hanging(msgspec.Struct, frozen=True, kw_only=True):
    version: ClassVar[str] = "1"

    def select(self, tree, *, step, rng):
        print("hangs", flush=True)
        while True:
            time.sleep(0.01)

    def reward(self, choice, *, depth, successes, probes):
        return 0.0

build_app(hydrometer.Plugins(selectors={"hanging": Hanging}))()
"""


@pytest.mark.parametrize("second", STOPS)
def test_a_second_ctrl_c_ends_a_process_in_which_a_plug_in_hangs(
    tmp_path: Path, second: signal.Signals
) -> None:
    config = tmp_path / "audit.toml"
    config.write_text(
        """
[models]
target = { provider = "simulated", model = "sim-target", vendor = "alibaba", fact = "I am Qwen." }
helper = { provider = "simulated", model = "sim-helper" }
[ice]
targets = ["target"]
helper = "helper"
selector = "hanging"
probes = 20
"""
    )
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", HANGING, "ice", "audit.toml"),
            *("--out", "run", "--cache", "cache", "-q"),
        ],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "hangs\n"
    process.send_signal(signal.SIGINT)
    anyio.run(anyio.sleep, 0.2)  # equal signals that arrive at once would be one signal
    process.send_signal(second)
    _, said = process.communicate(timeout=HANG_S)

    assert (process.returncode, said) == (130, "hydrometer: interrupted\n")
    status = json.loads((tmp_path / "run" / "status.json").read_bytes())
    assert (status["state"], status["cause"]) == ("stopped", "interrupted")
