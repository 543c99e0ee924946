"""Audit of two models at once: measure, score, replay, and judge the same answers by rule.

    python examples/audit_two_models.py [FOLDER]

Everything is simulated: no network, no key. "blended" claims to come from another vendor far more
often than "loyal". FOLDER, by default a temporary one, gets the runs and the cache.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import anyio

import hydrometer
from hydrometer.scoring.identity_scores import IdentityScore

CONFIG = """
[run]
seed = 7
[models]
helper = { provider = "simulated", model = "sim-helper" }
judge = { provider = "simulated", model = "sim-judge" }
[models.loyal]
provider = "simulated"
model = "sim-target-loyal"
vendor = "alibaba"
fact = "I am Sim."
options = { planting = { seed = 1, rate = 0.02 } }
[models.blended]
provider = "simulated"
model = "sim-target-blended"
vendor = "alibaba"
fact = "I am Sim."
options = { planting = { seed = 2, rate = 0.4 } }
[ice]
targets = ["loyal", "blended"]
helper = "helper"
judge = "judge"
probes = 100
"""


class Progress:
    def say(self, remark: str) -> None:
        print(f"note: {remark}")

    def begins(self, progress: hydrometer.RunProgress) -> None:
        print(f"{progress.name}: {progress.size} {progress.unit}")


def show(scores: Sequence[hydrometer.Score]) -> None:
    for score in scores:
        assert isinstance(score, IdentityScore)
        print(f"{score.target} {score.judge} {score.metric}: {score.positives}/{score.judged}")


async def main(folder: Path) -> None:
    (folder / "audit.toml").write_text(CONFIG, encoding="utf-8")
    config = hydrometer.load_config(folder / "audit.toml")
    plans = hydrometer.build_plans(config)

    runs, cache = folder / "runs", folder / "cache"
    by_run = await hydrometer.run_all(plans, config, runs, cache=cache, listener=Progress())
    for name, scores in by_run.items():
        show(scores)
        replayed = await hydrometer.replay(runs / name)
        print(f"{name}: {replayed.events} events replayed, difference: {replayed.difference!r}")

    show(await hydrometer.rescore(runs / "blended", "lexical", config))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        anyio.run(main, Path(*sys.argv[1:2] or [temporary]))
