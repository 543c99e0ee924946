"""RSE scores: the scores of one comparison, and the similarity matrix of several."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from ...scoring.means import OVER_SETS
from ...scoring.pairwise import find_kinship
from ...scoring.prompt_values import PromptValues, read_cosines, read_gradings, read_texts
from ...scoring.similarity_scores import SimilarityScore, score_prompts
from ...scoring.text_metrics import VERSION as TEXT_METRICS_VERSION
from ...scoring.trees import to_newick
from ..measurement import RunsSummary, Score
from ..records.recorded_run import RecordedRun
from ..setup.models import PlannedModel
from .rse_fold import fold_ceiling, fold_cosines, fold_pairs
from .rse_plan import RsePlan
from .rse_planning import judge_conflict


def score_rse(run: RecordedRun[RsePlan]) -> tuple[SimilarityScore, ...]:
    """Return the scores of *run*: by its judge, by each text metric, and by embeddings."""
    plan = run.plan
    rows = tuple(fold_pairs(run.events()))
    ceiling = tuple(fold_ceiling(run.events()))
    changed = run.changed_models()
    sides = (plan.target, plan.reference)
    asked = blake2b(msgspec.json.encode(plan.sets), digest_size=6).hexdigest()

    def scores(
        pairs: PromptValues, own: PromptValues, judge: PlannedModel | None, version: str
    ) -> tuple[SimilarityScore, ...]:
        models = [*sides, *(() if judge is None else (judge,))]
        return score_prompts(
            pairs,
            run=run.name,
            target=plan.target.name,
            reference=plan.reference.name,
            judge="" if judge is None else judge.name,
            prompt_version=version,
            weights=None if judge is None else plan.weights,
            prompts_digest=asked,
            seed=plan.seed,
            ceiling=own if plan.ceiling else None,
            sets=tuple(prompts.name for prompts in plan.sets),
            finished=run.finished,
            changed=any(model.name in changed for model in models),
            same_vendor=judge is not None and any(judge_conflict(judge, side) for side in sides),
        )

    graded = (read_gradings(rows, plan.weights), read_gradings(ceiling, plan.weights))
    found = scores(*graded, plan.judge, plan.rubric_version)
    found += scores(read_texts(rows), read_texts(ceiling), None, TEXT_METRICS_VERSION)
    if plan.embedder is not None:
        cosines, own = fold_cosines(run.events())
        embedded = (read_cosines(rows, cosines), read_cosines(ceiling, own))
        found += scores(*embedded, None, plan.embedder.name)
    return found


def summarise_rse(
    runs: Sequence[RecordedRun[RsePlan]], scores: Sequence[Score]
) -> RunsSummary | None:
    """Return the matrix of all pairs, and its trees, or None unless every pair was measured.

    *scores* are the scores of *runs*. At least three models are needed: two models give only one
    number, and no tree.
    """
    pairs: dict[tuple[str, str], PromptValues] = {}
    seed = 0
    for run in runs:
        plan = run.plan
        seed = plan.seed
        pairs[plan.target.name, plan.reference.name] = read_gradings(
            fold_pairs(run.events()), plan.weights
        )
        if plan.ceiling:
            own = read_gradings(fold_ceiling(run.events()), plan.weights)
            pairs[plan.reference.name, plan.reference.name] = own
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
    kinship = find_kinship(pairs, "overall", seed=seed, scores=overall)
    matrix = msgspec.json.format(msgspec.json.encode(kinship), indent=2) + b"\n"
    trees = {
        "average_linkage.nwk": kinship.average_linkage,
        "neighbour_joining.nwk": kinship.neighbour_joining,
    }
    newick = {name: to_newick(tree) + "\n" for name, tree in trees.items() if tree is not None}
    return RunsSummary(value=kinship, files={"kinship.json": matrix.decode(), **newick})
