"""A wrong measurement that is handed in ends in one line that names it, and spoils no run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from toy.toy_measurement import TOY, Repeated, ToyPlan
from typer.main import get_command

import hydrometer
from hydrometer.cli import build_app
from hydrometer.commands.checks.measurement_checks import COMMAND_NAMES
from hydrometer.engine.errors import InputInvalid, PluginBroken, RunConflict
from hydrometer.engine.measurement import Measurement, NamedPlan
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.records.events import Finished
from hydrometer.engine.records.run_directory import RunDirectory

CONFIG = """
[models.one]
provider = "simulated"
model = "sim-one"
[run]
cache = "cache"
[toy]
targets = ["one"]
words = 3
"""


class NoTargets(msgspec.Struct, frozen=True, kw_only=True):
    words: int = 3


class NeedsWords(msgspec.Struct, frozen=True, kw_only=True):
    targets: tuple[str, ...] = ()
    words: int


class Bare(msgspec.Struct, frozen=True, kw_only=True):
    version: int = 2
    kind: str = "toy"


WRONG = {
    "kind must have lower-case letters": {"kind": "To y"},
    "kind run is the name of another table": {"kind": "run"},
    "kind score is the name of another command": {"kind": "score"},
    "table: NoTargets has no field targets": {"table": NoTargets},
    "table: NeedsWords.words has no default": {"table": NeedsWords},
    "table must be a msgspec Struct type": {"table": dict},
    "plan: Bare has no field or property target": {"plan": Bare},
    "events: the union has no Finished": {"events": Repeated},
    "run must be a function": {"run": None},
}


@pytest.mark.parametrize(("words", "changes"), WRONG.items())
def test_a_measurement_that_cannot_work_is_refused_before_anything_is_read(
    words: str, changes: dict[str, Any]
) -> None:
    wrong: Measurement[Any] = replace(TOY, **changes)

    with pytest.raises(InputInvalid, match=words):
        hydrometer.Plugins(measurements=(wrong,)).measurements  # noqa: B018 (it checks)


def test_two_of_one_kind_and_one_of_ours_are_refused() -> None:
    for handed_in in ((TOY, TOY), tuple(BUILT_IN)[:1]):
        with pytest.raises(InputInvalid, match="kind"):
            hydrometer.Plugins(measurements=handed_in).measurements  # noqa: B018 (it checks)


def test_the_reserved_kinds_are_the_commands_of_the_command_line() -> None:
    command: Any = get_command(build_app(hydrometer.Plugins()))

    assert set(command.commands) == {*COMMAND_NAMES, *BUILT_IN.kinds}


def broken(**changes: Any) -> hydrometer.Plugins:
    return hydrometer.Plugins(measurements=(replace(TOY, **changes),))


async def make(folder: Path, plugins: hydrometer.Plugins) -> object:
    (folder / "toy.toml").write_text(CONFIG, encoding="utf-8")
    config = hydrometer.load_config(folder / "toy.toml", plugins=plugins)
    plan = hydrometer.build_plan(config, kind="toy", plugins=plugins)
    return await hydrometer.run(
        plan, config, folder / "run", cache=folder / "cache", plugins=plugins
    )


RUNS: dict[str, tuple[object, ...]] = {
    "ended without the event Finished": (),
    "emitted Measurements, which is none of its events": (BUILT_IN,),
    "emitted Finished after Finished": (
        Finished(reason="words", tickets=0, units=0),
        Finished(reason="words", tickets=0, units=0),
    ),
}


@pytest.mark.parametrize(("words", "events"), RUNS.items())
async def test_wrong_events_are_not_written(
    words: str, events: tuple[object, ...], tmp_path: Path
) -> None:
    async def run(plan: ToyPlan, caller: object, emit: Any, registry: object, workers: int) -> None:
        if events:
            emit(events)

    with pytest.raises(PluginBroken) as raised:
        await make(tmp_path, broken(run=run))
    assert str(raised.value) == f"the measurement toy is broken: run {words}"

    status = RunDirectory(tmp_path / "run").read_status()
    assert (status.state, status.cause) == ("stopped", "plug-in")
    assert (tmp_path / "run" / "events.jsonl").read_bytes().count(b"\n") <= 1


def fail(*_: object) -> Any:
    raise ZeroDivisionError("a bug of somebody else's")


@pytest.mark.parametrize("name", ["build_plans", "run", "score", "counts"])
async def test_what_a_function_raises_names_the_measurement(name: str, tmp_path: Path) -> None:
    with pytest.raises(PluginBroken) as raised:
        await make(tmp_path, broken(**{name: fail}))

    assert str(raised.value) == (
        f"the measurement toy is broken: {name} raised ZeroDivisionError: a bug of somebody else's"
    )


@pytest.mark.parametrize("name", ["../outside", "", "a/b", ".."])
async def test_a_plan_is_named_like_a_folder(name: str, tmp_path: Path) -> None:
    def build(request: Any) -> tuple[NamedPlan[ToyPlan], ...]:
        return tuple(replace(named, name=name) for named in TOY.build_plans(request))

    plugins = broken(build_plans=build)
    (tmp_path / "toy.toml").write_text(CONFIG, encoding="utf-8")
    config = hydrometer.load_config(tmp_path / "toy.toml", plugins=plugins)

    with pytest.raises((InputInvalid, PluginBroken)):
        await hydrometer.run_all(
            hydrometer.build_plans(config, kind="toy", plugins=plugins),
            config,
            tmp_path / "runs",
            cache=tmp_path / "cache",
            plugins=plugins,
        )

    assert not (tmp_path / "outside").exists()


async def test_two_plans_of_one_name_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    plugins = hydrometer.Plugins(measurements=(TOY,))
    (tmp_path / "toy.toml").write_text(CONFIG, encoding="utf-8")
    config = hydrometer.load_config(tmp_path / "toy.toml", plugins=plugins)
    plans = hydrometer.build_plans(config, kind="toy", plugins=plugins)

    with pytest.raises(InputInvalid, match="one") as refused:
        await hydrometer.run_all(
            (*plans, *plans), config, tmp_path / "runs", cache=tmp_path / "cache", plugins=plugins
        )

    assert not isinstance(refused.value, RunConflict) or "another process" not in str(refused.value)
    assert not (tmp_path / "runs").exists()
