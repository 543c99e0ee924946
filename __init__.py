"""Hydrometer: how strongly a language model was distilled from other models.

The command line is ``hydrometer``; the same for programs is here. For plug-ins see
``hydrometer.strategies.base`` and ``hydrometer.providers.base``.
"""

from __future__ import annotations

__version__ = "0.1.0"

from .cache.errors import CacheError
from .commands.api import Run, build_comparisons, build_plan, read_run, replay, rescore, run, score
from .commands.plugins import Plugins
from .commands.replay import ReplayResult
from .engine.config import Config
from .engine.errors import EngineError, InputInvalid, RunStopped
from .engine.loading import load_config
from .engine.plan import Plan, RsePlan
from .engine.sinks import Tally
from .providers.errors import ProviderError
from .scoring.scores import Score
from .scoring.similarity import SimilarityScore

__all__ = [
    "CacheError",
    "Config",
    "EngineError",
    "InputInvalid",
    "Plan",
    "Plugins",
    "ProviderError",
    "ReplayResult",
    "RsePlan",
    "Run",
    "RunStopped",
    "Score",
    "SimilarityScore",
    "Tally",
    "__version__",
    "build_comparisons",
    "build_plan",
    "load_config",
    "read_run",
    "replay",
    "rescore",
    "run",
    "score",
]
