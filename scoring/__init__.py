"""Verdict tables to scores and intervals: vectorised and seeded."""

from .identity_scores import IdentityFlag, IdentityScore, ScoreKind, score_table
from .intervals import Interval, cgm_interval, pigeonhole_bootstrap, wilson
from .probe_table import Counts, ProbeTable

__all__ = [
    "Counts",
    "Flag",
    "Interval",
    "Kind",
    "ProbeTable",
    "Score",
    "cgm_interval",
    "pigeonhole_bootstrap",
    "score_table",
    "wilson",
]
