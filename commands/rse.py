"""``hydrometer rse``: which runs a config asks for, and what a folder of them says together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from ..engine.errors import InputInvalid
from ..engine.ice.ice_fold import fold_ceiling, fold_pairs
from ..engine.records.run_directory import RunDirectory
from ..engine.rse.rse_planning import ALL_PAIRS, build_rse_plans, judge_conflict
from ..engine.setup.config import Config
from ..engine.setup.loading import load_prompts
from ..engine.setup.models import PlannedModel
from ..engine.setup.plan import RsePlan
from ..scoring.means import OVER_SETS
from ..scoring.pairwise import Kinship, find_kinship
from ..scoring.prompt_values import PromptValues, read_gradings
from ..scoring.similarity_scores import SimilarityScore
from ..scoring.trees import to_newick
from .score import AnyScore

AGAINST = "--"  # stands between the names of a pair, in the name of its folder


def plan_rse(
    config: Config, targets: Sequence[str] | None, folder: Path, say: Callable[[str], None]
) -> tuple[RsePlan, ...]:
    """Return the plans of an ``[rse]`` table; *say* is told what was odd about the prompts.

    Raises InputInvalid.
    """
    names = tuple(targets or config.rse.targets)
    if not names:
        raise InputInvalid("rse.targets is empty: name a model to compare, or give --target")
    readings = load_prompts(config, folder)
    for reading in readings:
        for note in reading.notes():
            say(f"prompts {reading.prompts.name}: {note}")
    plans = build_rse_plans(config, names, tuple(reading.prompts for reading in readings))
    counts = Counter(run_name(plan, config) for plan in plans)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise InputInvalid(f"rse.targets: two pairs would be called {twice[0]}; rename a model")
    for remark in _judge_s_kin(plans, everybody=config.rse.reference == ALL_PAIRS):
        say(remark)
    return plans


def _judge_s_kin(plans: Sequence[RsePlan], *, everybody: bool) -> Iterator[str]:
    """Yield a line on every model that the judge is, or is of one vendor with."""
    judge = plans[0].judge
    reference = "target" if everybody else "reference"
    compared: dict[PlannedModel, str] = {}
    for plan in plans:
        compared.setdefault(plan.reference, reference)
        compared.setdefault(plan.target, "target")
    for model, role in compared.items():
        both = f"judge {judge.name} and {role} {model.name} are"
        match judge_conflict(judge, model):
            case "model":
                yield f"{both} one model: a judge may prefer what it writes itself"
            case "vendor":
                yield (
                    f"{both} both of {model.vendor}: a judge may prefer what its own family writes"
                )


def run_name(plan: RsePlan, config: Config) -> str:
    """Return the name of the plan's folder among several."""
    if config.rse.reference == ALL_PAIRS:
        return f"{plan.target.name}{AGAINST}{plan.reference.name}"
    return plan.target.name


def read_pair(run: Path) -> tuple[RsePlan, PromptValues, PromptValues] | None:
    """Return the plan of a comparison with its gradings and its ceiling's; None for others."""
    directory = RunDirectory(run)
    plan = directory.read_plan()
    if not isinstance(plan, RsePlan):
        return None
    pairs = read_gradings(fold_pairs(directory.read_events()), plan.weights)
    ceiling = read_gradings(fold_ceiling(directory.read_events()), plan.weights)
    return plan, pairs, ceiling


def find_kin(runs: Sequence[Path], scores: Sequence[AnyScore]) -> Kinship | None:
    """Return how alike the models of *runs* are to each other; None unless every pair is there.

    *scores* are those of the runs. Two models make one number and no tree, so three are needed.
    """
    pairs: dict[tuple[str, str], PromptValues] = {}
    seed = 0
    for run in runs:
        found = read_pair(run)
        if found is None:
            continue
        plan, readings, ceiling = found
        seed = plan.seed
        pairs[plan.target.name, plan.reference.name] = readings
        if plan.ceiling:
            pairs[plan.reference.name, plan.reference.name] = ceiling
    names = {name for pair in pairs for name in pair}
    measured = {frozenset(pair) for pair in pairs if pair[0] != pair[1]}
    if len(names) < 3 or len(measured) < len(names) * (len(names) - 1) // 2:
        return None
    overall = tuple(
        score
        for score in scores
        if isinstance(score, SimilarityScore)
        and (score.metric, score.set) == ("overall", OVER_SETS)
    )
    return find_kinship(pairs, "overall", seed=seed, scores=overall)


def write_kin(folder: Path, kinship: Kinship) -> None:
    """Leave the matrix as kinship.json, and each tree as Newick text, beside the runs."""
    (folder / "kinship.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(kinship), indent=2) + b"\n"
    )
    for name in ("average_linkage", "neighbour_joining"):
        tree = getattr(kinship, name)
        if tree is not None:
            (folder / f"{name}.nwk").write_text(to_newick(tree) + "\n", encoding="utf-8")
