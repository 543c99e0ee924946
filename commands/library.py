"""The names of ``import hydrometer``: what the commands do, for programs."""

from __future__ import annotations

from .. import __version__
from ..cache.errors import CacheError
from ..engine.errors import EngineError, InputInvalid, PluginBroken, RunStopped
from ..engine.records.event_log import Tally
from ..engine.setup.config import Config
from ..engine.setup.loading import load_config
from ..engine.setup.plan import IcePlan, RsePlan
from ..providers.errors import ProviderError
from ..scoring.identity_scores import IdentityScore
from ..scoring.similarity_scores import SimilarityScore
from .api import Run, build_comparisons, build_plan, read_run, replay, rescore, run, score
from .plugins import Plugins
from .replay import ReplayResult

__all__ = [
    "CacheError",
    "Config",
    "EngineError",
    "InputInvalid",
    "Plan",
    "PluginBroken",
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
