"""``hydrometer demo``: every measurement on simulated models, beside what was planted in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from ..engine.ice.ice_events import Mutated, Probed
from ..engine.records.event_log import Tally
from ..engine.records.run_directory import RunDirectory
from ..engine.setup.config import Config, parse_config
from ..engine.setup.loading import builtin_text, load_texts
from ..engine.setup.plan import IcePlan
from ..engine.setup.planning import build_ice_plan
from ..providers.settings import ModelSettings
from ..providers.simulation.planting import planting_of
from ..scoring.identity_scores import IdentityScore
from ..scoring.similarity_scores import SimilarityScore
from ..strategies.templates import fill
from .measure import MeasureJob, run_measure
from .replay import ReplayResult, replay_run
from .rse import plan_rse
from .score import write_scores


class Planted(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of one simulated target, on the prompts that it was asked."""

    loose: int  # responses that claim a foreign identity
    strict: int  # those that claim one of the strict vendors
    probes: int
    first_half: float  # share of loose in the first and second half of the search
    second_half: float


class DemoRun(msgspec.Struct, frozen=True, kw_only=True):
    """One target of the demo: its scores, its truth, and whether it replayed."""

    name: str
    scores: tuple[IdentityScore, ...]
    planted: Planted
    replay: ReplayResult


def demo_config() -> Config:
    """Return the config that the demo runs."""
    return parse_config(builtin_text("demo.toml"), "demo.toml")


async def run_demo(target: str, out: Path, tally: Tally, say: Callable[[str], None]) -> DemoRun:
    """Measure, score and replay one simulated target in *out*, with a cache there."""
    config = demo_config()
    plan = build_ice_plan(config, target, load_texts(config, out))
    directory = out / target
    job = MeasureJob(config=config, plan=plan, directory=directory, cache=out / "cache")
    await run_measure(job, tally, say)
    return DemoRun(
        name=target,
        scores=tuple(s for s in write_scores(directory) if isinstance(s, IdentityScore)),
        planted=find_planted(directory, plan, config.models[target]),
        replay=await replay_run(directory, None),
    )


class DemoComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One writer of the demo: its scores, its planted kinship, and whether it replayed."""

    name: str
    relation: str
    scores: tuple[SimilarityScore, ...]
    replay: ReplayResult


async def run_demo_comparison(
    target: str, out: Path, tally: Tally, say: Callable[[str], None]
) -> DemoComparison:
    """Compare one simulated writer with the reference in *out*, with a cache there."""
    config = demo_config()
    (plan,) = plan_rse(config, [target], out, say)
    directory = out / target
    job = MeasureJob(config=config, plan=plan, directory=directory, cache=out / "cache")
    await run_measure(job, tally, say)
    scores = write_scores(directory)
    return DemoComparison(
        name=target,
        relation=planting_of(config.models[target]).relation,
        scores=tuple(score for score in scores if isinstance(score, SimilarityScore)),
        replay=await replay_run(directory, None),
    )


def find_planted(directory: Path, plan: IcePlan, settings: ModelSettings) -> Planted:
    """Return the truth about the probes of a run, from the planting alone."""
    from ..providers.simulation.simulated_target import planted_claim  # noqa: PLC0415 (word lists)

    planting = planting_of(settings)
    template = ""
    claims: list[str | None] = []
    for event in RunDirectory(directory).read_events():
        if isinstance(event, Mutated):
            template = event.text
        elif isinstance(event, Probed):
            prompt = fill(template, plan.questions[event.question].text)
            request = plan.target.build_request(prompt)
            claims.append(planted_claim(request, settings.model, planting))
    half = len(claims) // 2
    return Planted(
        loose=sum(claim is not None for claim in claims),
        strict=sum(claim in plan.strict_vendors for claim in claims),
        probes=len(claims),
        first_half=sum(claim is not None for claim in claims[:half]) / max(half, 1),
        second_half=sum(claim is not None for claim in claims[half:]) / max(len(claims) - half, 1),
    )
