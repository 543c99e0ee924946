"""Several targets of one command: side by side in one session, and each as if it were alone."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from processes import (
    HANG_S,
    command,
    environment,
    invoke,
    keys_sent,
    simulator,
    stats,
    wait_until,
)

from hydrometer.commands.batch import Batch, run_batch
from hydrometer.commands.listener import SilentListener
from hydrometer.commands.plans import plan_runs
from hydrometer.commands.plugins import Plugins
from hydrometer.commands.run import RunJob, open_run
from hydrometer.engine.errors import RunStopped
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.records.recorded_run import RecordedRun
from hydrometer.engine.records.run_directory import RunDirectory
from hydrometer.engine.setup.config import parse_config
from hydrometer.providers.errors import AccessDenied
from hydrometer.providers.settings import ModelSettings
from hydrometer.providers.simulation.planting import Planting
from hydrometer.providers.simulation.simulated_adapter import answer
from hydrometer.providers.types import Request, Response
from hydrometer.testing import AdapterOf

NAMES = ("one", "two", "three")


def make_config(
    urls: Mapping[str, str], *, targets: tuple[str, ...] = NAMES, head: str = "", probes: int = 30
) -> str:
    """Return a config of *targets* and a shared helper and judge, each served at its url.

    The url "" stands for all models that have none of their own.
    """
    models = {name: f"sim-{name}" for name in (*targets, "helper", "judge")}
    tables = [
        f'[models.{name}]\nprovider = "http"\nmodel = "{model}"\n'
        f'base_url = "{urls.get(name, urls[""])}"\nvendor = "alibaba"\nfact = "I am Sim."\n'
        f"attempts = {2 if name in urls else 12}\n"
        for name, model in models.items()
    ]
    return (
        f"[run]\nseed = 5\n{head}\n"
        + "".join(tables)
        + f'[ice]\ntargets = {json.dumps(targets)}\nhelper = "helper"\njudge = "judge"\n'
        f"probes = {probes}\nquestions_per_visit = 5\n"
    )


def write(folder: Path, text: str) -> Path:
    path = folder / "audit.toml"
    path.write_text(text)
    return path


def ice(
    folder: Path, config: Path, *more: str, out: str = "runs", cache: str = "cache"
) -> subprocess.CompletedProcess[str]:
    return invoke("ice", config, "--out", folder / out, "--cache", folder / cache, "-q", *more)


def events_of(run: Path) -> bytes:
    return (run / "events.jsonl").read_bytes()


def status(run: Path) -> tuple[str, str]:
    found = json.loads((run / "status.json").read_text())
    return found["state"], found["cause"]


def rows_of(run: Path) -> list[dict[str, Any]]:
    """Return the calls that *run* noted in its timings."""
    rows = [json.loads(line) for line in (run / "timings.jsonl").read_text().splitlines()]
    return [row for row in rows if "source" in row]


def keys_of(found: object) -> Iterator[str]:
    """Yield every key in an event."""
    if isinstance(found, dict):
        for name, value in found.items():
            if name == "key":
                yield value
            elif name == "keys":
                yield from value
            else:
                yield from keys_of(value)
    elif isinstance(found, list):
        for value in found:
            yield from keys_of(value)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of three targets of one command, in the folder "runs"."""
    folder = tmp_path_factory.mktemp("together")
    with simulator("--latency-ms", "5", "--jitter-ms", "20") as url:
        done = ice(folder, write(folder, make_config({"": url})))
    assert done.returncode == 0, done.stderr
    return folder


def test_every_run_has_the_bytes_that_it_has_alone(together: Path, tmp_path: Path) -> None:
    with simulator() as url:
        config = write(tmp_path, make_config({"": url}))
        for name in NAMES:
            done = ice(tmp_path, config, "--target", name, out=f"alone-{name}", cache=f"of-{name}")
            assert done.returncode == 0, done.stderr

    for name in NAMES:
        alone = tmp_path / f"alone-{name}" / name
        assert events_of(alone) == events_of(together / "runs" / name)
        assert (alone / "plan.json").read_bytes() == (
            together / "runs" / name / "plan.json"
        ).read_bytes()
    assert len({events_of(together / "runs" / name) for name in NAMES}) == 3


def test_the_timings_of_a_run_are_those_of_its_own_calls(together: Path) -> None:
    for name in NAMES:
        run = together / "runs" / name
        noted = [row for row in rows_of(run) if row["source"] != "preflight"]
        wanted = {key for line in events_of(run).splitlines() for key in keys_of(json.loads(line))}

        assert {row["pool"] for row in noted} == {name, "helper", "judge"}
        assert {row["key"] for row in noted} == wanted


def test_no_call_is_sent_twice_by_several_runs(together: Path) -> None:
    sent = Counter(key for name in NAMES for key in keys_sent(together / "runs" / name))

    assert sent
    assert set(sent.values()) == {1}


def test_every_model_is_called_once_before_all_runs(together: Path) -> None:
    rows = [row for name in NAMES for row in rows_of(together / "runs" / name)]

    called = Counter(row["pool"] for row in rows if row["source"] == "preflight")

    assert called == dict.fromkeys((*NAMES, "helper", "judge"), 1)


def test_one_budget_is_met_exactly_by_all_runs_and_they_go_on_without_it(
    together: Path, tmp_path: Path
) -> None:
    with simulator() as url:
        stopped = ice(
            tmp_path, write(tmp_path, make_config({"": url}, head="budget = { calls = 70 }"))
        )
        reached = stats(url)["calls"]
        sources = Counter(
            row["source"] for name in NAMES for row in rows_of(tmp_path / "runs" / name)
        )
        found = {status(tmp_path / "runs" / name) for name in NAMES}
        resumed = ice(tmp_path, write(tmp_path, make_config({"": url})), "--resume")

    assert stopped.returncode == 3, stopped.stderr
    assert stopped.stderr.count("run.budget calls = 70 is reached: 70 calls sent") == 1
    assert reached == sources["sent"] + sources["preflight"] == 70
    assert found == {("stopped", "budget")}
    assert resumed.returncode == 0, resumed.stderr
    for name in NAMES:
        assert events_of(tmp_path / "runs" / name) == events_of(together / "runs" / name)


def closed_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


@pytest.mark.parametrize("dead", NAMES)
def test_the_dead_endpoint_of_one_target_lets_the_others_finish(
    together: Path, tmp_path: Path, dead: str
) -> None:
    with simulator() as url:
        done = ice(tmp_path, write(tmp_path, make_config({"": url, dead: closed_url()})))
        found = {name: status(tmp_path / "runs" / name) for name in NAMES}
        mended = ice(tmp_path, write(tmp_path, make_config({"": url})), "--resume")

    assert done.returncode == 3, done.stderr
    first, second = done.stderr.splitlines()
    assert f"look at base_url and timeout_s of models.{dead})" in first
    assert second.endswith("go on with the same command and --resume")
    assert found == {
        name: ("stopped", "outage") if name == dead else ("finished", "") for name in NAMES
    }
    assert mended.returncode == 0, mended.stderr
    for name in NAMES:
        assert events_of(tmp_path / "runs" / name) == events_of(together / "runs" / name)


def test_of_several_that_stop_the_first_ends_the_command_and_the_others_are_told(
    tmp_path: Path,
) -> None:
    with simulator() as url:
        urls = {"": url, "one": closed_url(), "three": closed_url()}
        done = ice(tmp_path, write(tmp_path, make_config(urls)))

    assert done.returncode == 3, done.stderr
    told, first, _ = done.stderr.splitlines()
    assert told.startswith("hydrometer: three: ")
    assert "of models.three)" in told
    assert "of models.one)" in first
    assert status(tmp_path / "runs" / "two") == ("finished", "")


def test_a_damaged_recording_of_one_target_lets_the_others_finish(tmp_path: Path) -> None:
    with simulator() as url:
        budget = "budget = { calls = 70 }"
        assert ice(tmp_path, write(tmp_path, make_config({"": url}, head=budget))).returncode == 3
        damaged = tmp_path / "runs" / "two" / "events.jsonl"
        damaged.write_bytes(b'{"type":"nonsense"}\n' + damaged.read_bytes())
        before = damaged.read_bytes()
        done = ice(tmp_path, write(tmp_path, make_config({"": url})), "--resume")

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "two/events.jsonl:1: not an event" in done.stderr
    assert status(tmp_path / "runs" / "one") == status(tmp_path / "runs" / "three")
    assert status(tmp_path / "runs" / "one") == ("finished", "")
    assert status(tmp_path / "runs" / "two")[0] == "stopped"
    assert damaged.read_bytes() == before


def test_a_target_that_cannot_be_scored_lets_the_others_finish(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with simulator() as url:
        budget = "budget = { calls = 70 }"
        assert ice(tmp_path, write(tmp_path, make_config({"": url}, head=budget))).returncode == 3
        assert invoke("rescore", runs / "one", "--judge", "lexical", "-q").returncode == 0
        (runs / "two" / "layers").mkdir()
        (runs / "one" / "layers" / "lexical.jsonl").rename(
            runs / "two" / "layers" / "lexical.jsonl"
        )
        done = ice(tmp_path, write(tmp_path, make_config({"": url})), "--resume")

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "two/layers/lexical.jsonl is a layer of another run" in done.stderr
    assert {status(runs / name) for name in NAMES} == {("finished", "")}
    assert (runs / "three" / "scores.json").exists()


def test_ctrl_c_stops_all_runs_and_all_go_on(together: Path, tmp_path: Path) -> None:
    runs = [tmp_path / "runs" / name for name in NAMES]

    def begun() -> bool:
        return all(
            (run / "events.jsonl").exists() and events_of(run).count(b"\n") > 1 for run in runs
        )

    # So slow that the rest takes far longer than to notice the first events.
    with simulator("--latency-ms", "300") as url:
        process = subprocess.Popen(
            command(
                *("ice", write(tmp_path, make_config({"": url}))),
                *("--out", tmp_path / "runs", "--cache", tmp_path / "cache", "-q"),
            ),
            cwd=tmp_path,
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(begun, process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=HANG_S)
    found = {status(run) for run in runs}
    with simulator() as url:
        resumed = ice(tmp_path, write(tmp_path, make_config({"": url})), "--resume")

    assert process.returncode == 130, said
    assert said.count("hydrometer: interrupted\n") == 1
    assert found == {("stopped", "interrupted")}
    assert resumed.returncode == 0, resumed.stderr
    for run in runs:
        assert status(run) == ("finished", "")
        assert events_of(run) == events_of(together / "runs" / run.name)
    sent = Counter(key for run in runs for key in keys_sent(run))
    assert set(sent.values()) == {1}


# With a provider of our own, in this process


class Recorder:
    """A provider that keeps the requests of each model; *before* may wait or raise."""

    def __init__(self, before: Callable[[str, Request], Any] | None = None) -> None:
        self.sent: dict[str, list[Request]] = {}
        self._before = before

    async def complete_as(self, model: str, request: Request) -> Response:
        self.sent.setdefault(model, []).append(request)
        if self._before is not None:
            await self._before(model, request)
        return answer(request, model, Planting(rate=0.3))

    @asynccontextmanager
    async def open(
        self, settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AsyncIterator[AdapterOf]:
        recorder = self

        class OfModel:
            async def complete(self, request: Request) -> Response:
                return await recorder.complete_as(settings.model, request)

        yield AdapterOf(OfModel())


async def run_with(folder: Path, recorder: Recorder, *, preflight: bool = False) -> None:
    text = make_config({"": "http://127.0.0.1:9/v1"}, targets=NAMES[:2])
    text = text.replace('"http"', '"recorder"')
    config = parse_config(text, "audit.toml", BUILT_IN)
    plugins = Plugins(providers={"recorder": recorder.open})
    batch = Batch(
        config=config,
        base=folder / "runs",
        cache=folder / "cache",
        preflight=preflight,
        plugins=plugins,
    )
    plans = plan_runs(config, "ice", (), folder=folder, plugins=plugins, say=lambda _: None)
    await run_batch(batch, plans, SilentListener())


async def test_identical_requests_in_flight_are_sent_once_for_all_runs(tmp_path: Path) -> None:
    async def until_all_wait(model: str, _: Request) -> None:
        if model == "sim-helper":
            await anyio.wait_all_tasks_blocked()

    recorder = Recorder(until_all_wait)
    await run_with(tmp_path, recorder)

    asked = [msgspec.json.encode(request) for request in recorder.sent["sim-helper"]]
    assert len(asked) == len(set(asked))
    sources = {
        name: Counter(
            row["source"] for row in rows_of(tmp_path / "runs" / name) if row["pool"] == "helper"
        )
        for name in NAMES[:2]
    }
    assert sources["one"]["shared"] + sources["two"]["shared"] > 0
    assert sources["one"]["sent"] + sources["two"]["sent"] == len(asked)


async def test_the_preflight_of_a_shared_model_is_sent_once(tmp_path: Path) -> None:
    recorder = Recorder()

    await run_with(tmp_path, recorder, preflight=True)

    small = {
        model: sum(request.messages[-1].content == "Reply with OK." for request in requests)
        for model, requests in recorder.sent.items()
    }
    assert small == {"sim-one": 1, "sim-two": 1, "sim-helper": 1, "sim-judge": 1}


async def test_a_shared_model_that_refuses_stops_all_runs(tmp_path: Path) -> None:
    async def refuse(model: str, _: Request) -> None:
        if model == "sim-judge":
            raise AccessDenied("wrong key", status=401)

    with pytest.raises(RunStopped, match="wrong key") as stopped:
        await run_with(tmp_path, Recorder(refuse))

    assert stopped.value.cause == "access"
    found = {status(tmp_path / "runs" / name) for name in NAMES[:2]}
    assert found == {("stopped", "access")}


async def test_cancelling_stops_all_runs_and_is_raised_on(tmp_path: Path) -> None:
    async def cancel(model: str, _: Request) -> None:
        if model == "sim-judge":
            scope.cancel()

    with anyio.CancelScope() as scope:
        await run_with(tmp_path, Recorder(cancel))

    assert scope.cancelled_caught
    found = {status(tmp_path / "runs" / name) for name in NAMES[:2]}
    assert found == {("stopped", "interrupted")}
    await_none = Recorder()
    text = [events_of(tmp_path / "runs" / name) for name in NAMES[:2]]
    with pytest.raises(Exception, match="already holds this run"):
        await run_with(tmp_path, await_none)
    assert text == [events_of(tmp_path / "runs" / name) for name in NAMES[:2]]
    assert await_none.sent == {}


async def test_a_state_that_cannot_be_written_stops_its_own_run_alone(tmp_path: Path) -> None:
    first, second = (tmp_path / "runs" / name for name in NAMES[:2])

    async def block(model: str, _: Request) -> None:
        if (first / "status.json").is_file():
            (first / "status.json").unlink()
            (first / "status.json").mkdir()  # no file can replace a folder

    with pytest.raises(RunStopped, match=r"status\.json cannot be written"):
        await run_with(tmp_path, Recorder(block))

    assert RunDirectory(second).read_status().state == "finished"
    assert RunDirectory(second).finished()


async def test_a_complete_run_stays_finished_when_its_replay_is_interrupted(tmp_path: Path) -> None:
    await run_with(tmp_path, Recorder())
    plugins = Plugins()
    directory = tmp_path / "runs" / NAMES[0]
    job = RunJob(
        name=NAMES[0],
        plan=RecordedRun[Any](directory, BUILT_IN).plan,
        directory=directory,
        cache=tmp_path / "cache",
        start="resume",
    )

    with open_run(job, plugins, say=print) as run:
        run.stop(RunStopped("interrupted", cause="interrupted"))

    assert isinstance(run.error, RunStopped)
    assert RunDirectory(directory).read_status().state == "finished"
