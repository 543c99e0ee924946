"""``hydrometer rse``: which runs a config asks for, and what a folder of them says together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from ..engine.config import Config
from ..engine.errors import InputInvalid
from ..engine.files import RunDirectory
from ..engine.fold import fold_ceiling, fold_pairs
from ..engine.loading import load_prompts
from ..engine.plan import RsePlan
from ..engine.rse_planning import ALL_PAIRS, build_rse_plans
from ..scoring.kinship import Kinship, find_kinship
from ..scoring.readings import Readings, read_gradings
from ..scoring.trees import to_newick

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
    """Yield a line on every reference of the judge's vendor; of all pairs, on every model."""
    judge = plans[0].judge
    role = "" if everybody else "reference "
    compared = [plan.reference for plan in plans]
    if everybody:
        compared += [plan.target for plan in plans]
    for name, vendor in {model.name: model.vendor for model in compared}.items():
        if vendor and vendor == judge.vendor:
            yield (
                f"judge {judge.name} and {role}{name} are both of {vendor}: a judge may prefer "
                "what its own family writes"
            )


def run_name(plan: RsePlan, config: Config) -> str:
    """Return the name of the plan's folder among several."""
    if config.rse.reference == ALL_PAIRS:
        return f"{plan.target.name}{AGAINST}{plan.reference.name}"
    return plan.target.name


def read_pair(run: Path) -> tuple[RsePlan, Readings, Readings] | None:
    """Return the plan of a comparison with its gradings and its ceiling's; None for others."""
    directory = RunDirectory(run)
    plan = directory.read_plan()
    if not isinstance(plan, RsePlan):
        return None
    pairs = read_gradings(fold_pairs(directory.read_events()), plan.weights)
    ceiling = read_gradings(fold_ceiling(directory.read_events()), plan.weights)
    return plan, pairs, ceiling


def find_kin(runs: Sequence[Path]) -> Kinship | None:
    """Return how alike the models of *runs* are to each other; None unless every pair is there.

    Two models make one number and no tree, so three are needed.
    """
    pairs: dict[tuple[str, str], Readings] = {}
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
    return find_kinship(pairs, "overall", seed=seed)


def write_kin(folder: Path, kinship: Kinship) -> None:
    """Leave the matrix as kinship.json, and each tree as Newick text, beside the runs."""
    (folder / "kinship.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(kinship), indent=2) + b"\n"
    )
    for name in ("average_linkage", "neighbour_joining"):
        tree = getattr(kinship, name)
        if tree is not None:
            (folder / f"{name}.nwk").write_text(to_newick(tree) + "\n", encoding="utf-8")
