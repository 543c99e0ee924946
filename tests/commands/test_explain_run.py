"""What ``cache explain RUN`` says of a run's answers."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import pytest
from processes import invoke

import hydrometer
from hydrometer.engine.calls.answers import Answer
from hydrometer.engine.ice.ice_events import Probed
from hydrometer.providers.errors import RequestRejected
from hydrometer.providers.settings import ModelSettings
from hydrometer.providers.simulation.planting import Planting
from hydrometer.providers.simulation.simulated_adapter import answer
from hydrometer.providers.types import Request, Response
from hydrometer.testing import AdapterOf, FunctionProvider

CONFIG = """
[run]
window = 1
[models.target]
provider = "choosy"
model = "sim-target"
vendor = "alibaba"
[models.helper]
provider = "simulated"
model = "sim-helper"
[ice]
targets = ["target"]
helper = "helper"
probes = 20
questions_per_visit = 5
"""


class Choosy:
    """A provider that rejects its *rejects*-th request; the first is the preflight."""

    def __init__(self, rejects: int = 0) -> None:
        self._rejects = rejects
        self._asked = 0

    @asynccontextmanager
    async def open(
        self, settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AsyncIterator[AdapterOf]:
        def reply(request: Request) -> Response | Exception:
            self._asked += 1
            if self._asked == self._rejects:
                return RequestRejected("content filter", status=400)
            return answer(request, settings.model, Planting(rate=0.3))

        yield AdapterOf(FunctionProvider(reply))


async def measure(folder: Path, provider: Choosy) -> Path:
    (folder / "c.toml").write_text(CONFIG)
    config = hydrometer.load_config(folder / "c.toml")
    plugins = hydrometer.Plugins(providers={"choosy": provider.open})
    plan = hydrometer.build_plan(config, plugins=plugins)
    run = folder / "run"
    await hydrometer.run(plan, config, run, cache=folder / "cache", plugins=plugins)
    return run


def explain(run: Path) -> str:
    done = invoke("cache", "explain", run)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_call_that_failed_for_good_is_no_gap(tmp_path: Path) -> None:
    run = anyio.run(measure, tmp_path, Choosy(rejects=8))
    replayed = anyio.run(hydrometer.replay, run)

    assert replayed.complete
    assert re.fullmatch(r"\d+ calls of 20 probes found in \S+/cache: the whole run", explain(run))


@pytest.mark.parametrize(("probe", "done"), [(0, 0), (7, 5), (19, 15)])
def test_a_gap_is_where_a_run_cannot_be_followed_any_further(
    tmp_path: Path, probe: int, done: int
) -> None:
    run = anyio.run(measure, tmp_path, Choosy())
    events = [event for event in hydrometer.read_run(run).events() if isinstance(event, Probed)]
    outcome = events[probe].outcome
    assert isinstance(outcome, Answer)
    with closing(sqlite3.connect(tmp_path / "cache" / "cache.db")) as database, database:
        database.execute("DELETE FROM Cache WHERE key = ?", (outcome.key,))

    said = explain(run)

    assert re.match(
        rf"\d+ calls? found in \S+/cache, enough for {done} of 20 probes, up to the first "
        r"that is missing: no stored answer for choosy:sim-target",
        said,
    )


@pytest.mark.parametrize("what", ["runs/typo", "."])
def test_what_is_neither_a_run_nor_a_key_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.chdir(tmp_path)

    done = invoke("cache", "explain", what)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "hydrometer: a key is 40 hexadecimal digits, or at least the first 6; "
        f"got {what!r}, which is no run directory either\n"
    )
