"""Verdict tables to scores and intervals: vectorised and seeded."""

from .intervals import Interval, cgm_interval, pigeonhole_bootstrap, wilson
from .scores import Flag, Kind, Score, score_table
from .table import Counts, ProbeTable

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
