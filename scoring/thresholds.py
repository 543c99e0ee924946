"""Thresholds of the flags on scores, and the facts about a run that flags need."""

from __future__ import annotations

import msgspec

# Below this many positives or negatives, percentiles of resampled rows show chance, not the model.
FEW_OUTCOMES = 8
# Below this many prompts, percentiles of resampled prompts are too narrow.
FEW_PROMPTS = 20
# Scores with more than this share of their rows missing are flagged.
MISSING_SHARE = 0.05


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about a run that its rows do not show.

    *changed* is true when a model returned another model id during the run. *same_vendor* is true
    when the judge is of the vendor of one of the models that it compares.
    """

    finished: bool
    changed: bool
    same_vendor: bool = False
