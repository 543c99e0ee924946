"""Several runs from a program: side by side in one session, with the scores of each by name."""

from __future__ import annotations

from pathlib import Path

import pytest

import hydrometer

CONFIG = """
[models]
one = { provider = "simulated", model = "sim-target-one", vendor = "alibaba" }
two = { provider = "simulated", model = "sim-target-two", vendor = "alibaba" }
helper = { provider = "simulated", model = "sim-helper" }
[ice]
targets = ["one", "two"]
helper = "helper"
probes = 20
"""


class ListListener:
    def __init__(self) -> None:
        self.runs: list[hydrometer.RunProgress] = []

    def say(self, remark: str) -> None:
        pass

    def begins(self, progress: hydrometer.RunProgress) -> None:
        self.runs.append(progress)


@pytest.fixture
def config(tmp_path: Path) -> hydrometer.Config:
    (tmp_path / "c.toml").write_text(CONFIG)
    return hydrometer.load_config(tmp_path / "c.toml")


async def test_each_run_has_the_events_and_scores_that_it_has_alone(
    config: hydrometer.Config, tmp_path: Path
) -> None:
    plans = hydrometer.build_plans(config)

    together = await hydrometer.run_all(plans, config, tmp_path / "both", cache=tmp_path / "cache")

    assert list(together) == ["one", "two"]
    for named in plans:
        alone = tmp_path / "alone" / named.name
        scores = await hydrometer.run(named.plan, config, alone, cache=tmp_path / "other")
        assert together[named.name] == scores
        events = (tmp_path / "both" / named.name / "events.jsonl").read_bytes()
        assert events == (alone / "events.jsonl").read_bytes()


async def test_the_listener_is_told_of_every_run(config: hydrometer.Config, tmp_path: Path) -> None:
    listener = ListListener()

    await hydrometer.run_all(
        hydrometer.build_plans(config),
        config,
        tmp_path / "runs",
        cache=tmp_path / "cache",
        listener=listener,
    )

    begun = {run.name: (run.unit, run.size, run.tally.units) for run in listener.runs}
    assert begun == {"one": ("probes", 20, 20), "two": ("probes", 20, 20)}


async def test_a_run_that_is_there_is_refused_and_can_be_resumed(
    config: hydrometer.Config, tmp_path: Path
) -> None:
    plans, out, cache = hydrometer.build_plans(config), tmp_path / "runs", tmp_path / "cache"
    (first,) = (named for named in plans if named.name == "one")
    await hydrometer.run_all((first,), config, out, cache=cache)

    with pytest.raises(hydrometer.InputInvalid, match="already holds this run"):
        await hydrometer.run_all(plans, config, out, cache=cache)
    scores = await hydrometer.run_all(plans, config, out, cache=cache, start="resume")

    assert list(scores) == ["one", "two"]


async def test_a_config_without_a_model_of_a_plan_leaves_no_folder(
    config: hydrometer.Config, tmp_path: Path
) -> None:
    plans = hydrometer.build_plans(config)
    (tmp_path / "other.toml").write_text("")
    other = hydrometer.load_config(tmp_path / "other.toml")

    with pytest.raises(hydrometer.InputInvalid, match="the plan's target: no model is named one"):
        await hydrometer.run_all(plans, other, tmp_path / "runs", cache=tmp_path / "cache")

    assert not (tmp_path / "runs").exists()
