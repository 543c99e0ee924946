"""The library as a program uses it: the same results as the commands, and no terminal."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import ClassVar

import anyio
import msgspec
import pytest
import structlog
from processes import invoke

import hydrometer
from hydrometer.engine.records.events import Event
from hydrometer.scoring.identity_scores import IdentityScore
from hydrometer.scoring.similarity_scores import SimilarityScore
from hydrometer.strategies.base import Choice
from hydrometer.strategies.search.tree import Tree

CONFIG = """
[run]
seed = 3
[models.target]
provider = "simulated"
model = "sim-target"
vendor = "alibaba"
fact = "I am Sim."
options = { planting = { rate = 0.3 } }
[models.helper]
provider = "simulated"
model = "sim-helper"
[models.judge]
provider = "simulated"
model = "sim-judge"
[ice]
targets = ["target"]
helper = "helper"
judge = "lexical"
probes = 30
questions_per_visit = 5
"""


@pytest.fixture
def config(tmp_path: Path) -> hydrometer.Config:
    (tmp_path / "c.toml").write_text(CONFIG)
    return hydrometer.load_config(tmp_path / "c.toml")


def identity(scores: Sequence[hydrometer.Score]) -> list[IdentityScore]:
    """Return *scores*, all of which are of identity."""
    found = [score for score in scores if isinstance(score, IdentityScore)]
    assert len(found) == len(scores)
    return found


def test_all_names_are_there_and_sorted() -> None:
    assert hydrometer.__all__ == sorted(hydrometer.__all__)
    assert all(hasattr(hydrometer, name) for name in hydrometer.__all__)


async def test_a_run_its_scores_its_replay_and_another_judge(
    config: hydrometer.Config, tmp_path: Path
) -> None:
    plan = hydrometer.build_plan(config)
    tally = hydrometer.Tally()

    scores = await hydrometer.run(
        plan, config, tmp_path / "run", cache=tmp_path / "cache", tally=tally
    )
    replayed = await hydrometer.replay(tmp_path / "run")
    both = await hydrometer.rescore(tmp_path / "run", "judge", config)

    own, all_judges = identity(scores), identity(both)
    assert [(s.judge, s.metric) for s in own] == [("lexical", "strict"), ("lexical", "hard")]
    assert tally.units == own[0].judged == 30
    assert replayed.complete
    assert replayed.difference == ""
    assert both[: len(scores)] == scores == hydrometer.score(tmp_path / "run")[: len(scores)]
    assert [s.metric for s in all_judges if s.judge == "judge"] == ["loose", "strict", "hard"]


def test_the_command_line_gives_the_same_events(config: hydrometer.Config, tmp_path: Path) -> None:
    plan = hydrometer.build_plan(config, "target")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"

    anyio.run(partial(hydrometer.run, plan, config, ours, cache=tmp_path / "one"))
    done = invoke("ice", tmp_path / "c.toml", "--out", theirs, "--cache", tmp_path / "two")

    assert done.returncode == 0, done.stderr
    assert (ours / "events.jsonl").read_bytes() == (theirs / "events.jsonl").read_bytes()


async def test_a_recorded_run_can_be_read(config: hydrometer.Config, tmp_path: Path) -> None:
    plan = hydrometer.build_plan(config)
    await hydrometer.run(plan, config, tmp_path / "run", cache=tmp_path / "cache")
    await hydrometer.rescore(tmp_path / "run", "judge", config)

    run = hydrometer.read_run(tmp_path / "run")

    assert run.plan == plan
    assert run.status.state == "finished"
    assert sum(type(event).__name__ == "Probed" for event in run.events()) == 30
    assert set(run.layers()) == {"judge"}


async def test_a_cancelled_run_goes_on_where_it_was(
    config: hydrometer.Config, tmp_path: Path
) -> None:
    plan = hydrometer.build_plan(config)
    out, cache = tmp_path / "run", tmp_path / "cache"
    whole = await hydrometer.run(plan, config, tmp_path / "whole", cache=tmp_path / "other")

    class Enough(hydrometer.Tally):
        def write(self, events: Sequence[Event]) -> None:
            super().write(events)
            if self.units >= 10:
                scope.cancel()

    with anyio.CancelScope() as scope:
        await hydrometer.run(plan, config, out, cache=cache, tally=Enough())
    resumed = await hydrometer.run(plan, config, out, cache=cache, start="resume")

    assert scope.cancelled_caught
    assert resumed == tuple(msgspec.structs.replace(s, run="run") for s in identity(whole))
    events = (out / "events.jsonl").read_bytes()
    assert events == (tmp_path / "whole" / "events.jsonl").read_bytes()


def test_a_run_works_in_any_thread(config: hydrometer.Config, tmp_path: Path) -> None:
    plan = hydrometer.build_plan(config)
    found: list[int] = []

    def work() -> None:
        async def go() -> None:
            out = tmp_path / "run"
            found.append(len(await hydrometer.run(plan, config, out, cache=tmp_path / "cache")))

        anyio.run(go)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert found == [2]


def process_state() -> tuple[object, ...]:
    """Return what a library call must leave alone in its process."""
    root = logging.getLogger()
    return (
        gc.get_threshold(),
        gc.get_freeze_count(),
        gc.isenabled(),
        tuple(signal.getsignal(number) for number in signal.valid_signals()),
        (root.level, tuple(root.handlers), logging.root.manager.disable),
        structlog.is_configured(),
        (sys.stdout, sys.stderr, sys.excepthook, sys.unraisablehook),
        dict(os.environ),
        Path.cwd(),
    )


async def test_two_runs_at_once_change_nothing_of_their_process(
    config: hydrometer.Config, tmp_path: Path
) -> None:
    plan = hydrometer.build_plan(config)
    seen: list[tuple[object, ...]] = []
    going = set[str]()
    overlapped = False

    class Looking(hydrometer.Tally):
        def __init__(self, name: str) -> None:
            super().__init__()
            self._name = name

        def write(self, events: Sequence[Event]) -> None:
            nonlocal overlapped
            super().write(events)
            going.add(self._name)
            overlapped = overlapped or len(going) == 2
            seen.append(process_state())

    async def run(name: str) -> None:
        out = tmp_path / name
        await hydrometer.run(
            plan, config, out, cache=tmp_path / f"cache-{name}", tally=Looking(name)
        )
        seen.append(process_state())
        going.discard(name)

    before = process_state()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, "one")
        tasks.start_soon(run, "two")

    assert overlapped
    assert process_state() == before
    assert all(state == before for state in seen)


class First(msgspec.Struct, frozen=True, kw_only=True):
    """A selector that always takes one root."""

    version: ClassVar[str] = "first-1"

    root: int = 0

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        return Choice(path=(self.root,))

    def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> float:
        return 0.0


async def test_a_strategy_can_be_handed_in(tmp_path: Path) -> None:
    text = CONFIG + 'selector = "first"\nselector_settings = { root = 4 }\n'
    (tmp_path / "c.toml").write_text(text)
    config = hydrometer.load_config(tmp_path / "c.toml")
    plugins = hydrometer.Plugins(selectors={"first": First})
    plan = hydrometer.build_plan(config, plugins=plugins)

    await hydrometer.run(plan, config, tmp_path / "run", cache=tmp_path / "cache", plugins=plugins)

    chosen = [e.path for e in hydrometer.read_run(tmp_path / "run").events() if hasattr(e, "path")]
    assert set(chosen) == {(4,)}
    with pytest.raises(hydrometer.InputInvalid, match="selector first comes with a package"):
        await hydrometer.replay(tmp_path / "run")


async def test_two_models_can_be_compared(tmp_path: Path) -> None:
    models = "".join(
        f'[models.{name}]\nprovider = "simulated"\nmodel = "{model}"\n{more}\n'
        for name, model, more in (
            ("writer", "sim-writer-a", "options = { planting = { family = 1 } }"),
            (
                "sibling",
                "sim-writer-b",
                'options = { planting = { family = 1, relation = "family" } }',
            ),
            ("judge", "sim-judge", ""),
        )
    )
    rse = (
        '[rse]\ntargets = ["sibling"]\nreference = "writer"\njudge = "judge"\n'
        'prompts = [{ name = "general", limit = 3 }]\n'
    )
    (tmp_path / "c.toml").write_text(models + rse)
    config = hydrometer.load_config(tmp_path / "c.toml")
    (named,) = hydrometer.build_plans(config, kind="rse")

    scores = await hydrometer.run(named.plan, config, tmp_path / "run", cache=tmp_path / "cache")

    assert named.name == "sibling"
    overall = [s for s in scores if isinstance(s, SimilarityScore)]
    assert {score.metric for score in overall} >= {"overall", "chars"}
    assert (await hydrometer.replay(tmp_path / "run")).difference == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[models.helper]", "[models.hlper]", "the plan's helper: no model is named helper; did"),
        (
            '"sim-target"',
            '"sim-other"',
            "the plan's target target is simulated:sim-target#",
        ),
        ("rate = 0.3", "rate = 0.4", "the plan's target target is simulated:sim-target#"),
        (
            'provider = "simulated"\nmodel = "sim-target"',
            'provider = "vlm"\nmodel = "sim-target"',
            "models.target.provider: unknown provider vlm; known: http",
        ),
        (CONFIG, "", "the plan's target: no model is named target; known: none"),
    ],
)
async def test_a_config_that_lacks_a_model_of_the_plan_is_refused_and_leaves_no_directory(
    config: hydrometer.Config, tmp_path: Path, old: str, new: str, said: str
) -> None:
    plan = hydrometer.build_plan(config)
    (tmp_path / "other.toml").write_text(CONFIG.replace(old, new))
    other = hydrometer.load_config(tmp_path / "other.toml")

    with pytest.raises(hydrometer.InputInvalid) as raised:
        await hydrometer.run(plan, other, tmp_path / "run", cache=tmp_path / "cache")

    assert str(raised.value).startswith(said)
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "cache").exists()


async def test_settings_that_a_lower_layer_refuses_are_an_input_error(
    config: hydrometer.Config, tmp_path: Path
) -> None:
    plan = hydrometer.build_plan(config)
    await hydrometer.run(plan, config, tmp_path / "run", cache=tmp_path / "cache")
    keyed = msgspec.structs.replace(config.models["judge"], api_key_env="NO_SUCH_KEY")
    without = msgspec.structs.replace(config, models={**config.models, "judge": keyed})

    with pytest.raises(hydrometer.InputInvalid, match="NO_SUCH_KEY, which is not set"):
        await hydrometer.rescore(tmp_path / "run", "judge", without)


async def test_an_imported_run_has_a_plan_that_cannot_be_run(
    config: hydrometer.Config, tmp_path: Path
) -> None:
    (tmp_path / "t.jsonl").write_text('{"template": "{query}", "question": "q", "response": "r"}')
    assert invoke("import", tmp_path / "t.jsonl", "--out", tmp_path / "old", "-q").returncode == 0
    plan = hydrometer.read_run(tmp_path / "old").plan

    with pytest.raises(
        hydrometer.InputInvalid, match="was imported, and no call was made: it has nothing to run"
    ):
        await hydrometer.run(plan, config, tmp_path / "run", cache=tmp_path / "cache")

    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["nowhere", "c.toml", "."])
async def test_what_is_no_run_is_an_input_error_of_every_function(
    config: hydrometer.Config, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name

    for read in (hydrometer.read_run, hydrometer.score):
        with pytest.raises(hydrometer.InputInvalid, match="is no run directory"):
            read(path)
    with pytest.raises(hydrometer.InputInvalid, match="is no run directory"):
        await hydrometer.replay(path)
    with pytest.raises(hydrometer.InputInvalid, match="is no run directory"):
        await hydrometer.rescore(path, "lexical", config)


def test_what_is_wrong_is_an_input_error(config: hydrometer.Config, tmp_path: Path) -> None:
    with pytest.raises(hydrometer.InputInvalid, match="no model is named tarpet; did you mean"):
        hydrometer.build_plan(config, "tarpet")
    with pytest.raises(hydrometer.InputInvalid, match="is no run directory"):
        hydrometer.read_run(tmp_path)
