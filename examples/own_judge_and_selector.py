"""Plug-ins of a program: a judge and a selector, handed in as classes. No network, no key."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random
from typing import ClassVar

import anyio
import msgspec

import hydrometer
from hydrometer.scoring.identity_scores import IdentityScore
from hydrometer.strategies.base import Choice, JudgeDialogue
from hydrometer.strategies.search.tree import Tree
from hydrometer.strategies.types import Case, Metric, TargetFacts, Verdict

CONFIG = """
[models]
target = { provider = "simulated", model = "sim-target", vendor = "alibaba" }
helper = { provider = "simulated", model = "sim-helper" }
[ice]
targets = ["target"]
helper = "helper"
judge = "word"
judge_settings = { word = "Claude", vendor = "anthropic" }
selector = "newest"
probes = 60
"""


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """``judge = "word"``: an answer that has *word* claims to be of *vendor*."""

    version: ClassVar[str] = "word-1"
    metrics: ClassVar[tuple[Metric, ...]] = ("strict",)
    asks_model: ClassVar[bool] = False
    word: str
    vendor: str

    def prepare(self, about: TargetFacts) -> Word:
        return self

    def read(self, case: Case) -> JudgeDialogue:
        yield from ()  # no call to a model
        vendor = self.vendor if self.word in case.response else ""
        return (Verdict(metric="strict", positive=bool(vendor), vendor=vendor),)


class Newest(msgspec.Struct, frozen=True, kw_only=True):
    """``selector = "newest"``: one of the three templates that joined last."""

    version: ClassVar[str] = "newest-1"

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        return Choice(path=(len(tree) - 1 - rng.randrange(min(3, len(tree))),))

    def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> float:
        return successes / probes


async def main(folder: Path) -> None:
    plugins = hydrometer.Plugins(judges={"word": Word}, selectors={"newest": Newest})
    (folder / "audit.toml").write_text(CONFIG, encoding="utf-8")
    config = hydrometer.load_config(folder / "audit.toml", plugins=plugins)
    plan = hydrometer.build_plan(config, plugins=plugins)
    run, cache = folder / "run", folder / "cache"
    for score in await hydrometer.run(plan, config, run, cache=cache, plugins=plugins):
        assert isinstance(score, IdentityScore)
        print(f"{score.judge} {score.metric}: {score.positives}/{score.judged}")
    print(await hydrometer.replay(run, plugins=plugins))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        anyio.run(main, Path(temporary))
