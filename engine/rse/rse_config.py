"""Config table ``[rse]``."""

from __future__ import annotations

from typing import Literal

import msgspec

from ...providers.settings import SamplingTable
from ...strategies.similarity.similarity_types import Weights
from ..setup.config import require_at_least_one

# The files of the built-in prompt sets, by the names of the sets in a config.
BUILTIN_SETS = {
    "general": "rse_general.jsonl",
    "math": "rse_math.jsonl",
    "chat": "rse_chat.jsonl",
}


class PromptSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``rse.prompts``. Without a path, it is the built-in set of that name."""

    name: str
    path: str = ""
    limit: int | None = None
    max_turns: int | None = None
    max_chars: int | None = None


class RseSampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[rse.sampling.*]``: sampling parameters that override a model's own in one role."""

    target: SamplingTable = SamplingTable()
    reference: SamplingTable = SamplingTable()
    judge: SamplingTable = SamplingTable()


class RseTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[rse]``"""

    targets: tuple[str, ...] = ()
    reference: str = ""  # a model, or "*" for every pair of targets
    judge: str = ""
    prompts: tuple[PromptSource, ...] = tuple(PromptSource(name=name) for name in BUILTIN_SETS)
    weights: Weights = Weights()
    orders: Literal["both", "reference-first"] = "both"
    judge_draws: int = 1
    ceiling: bool = True
    embeddings: str = ""  # a model with mode = "embedding"
    structured: bool = False
    sampling: RseSampling = RseSampling()


def check_rse_table(table: RseTable, where: str) -> None:
    """Raise ConfigInvalid for a number below 1. *where* is the name of the file."""
    limits = {
        f"rse.prompts[{number}].{name}": value
        for number, source in enumerate(table.prompts)
        for name, value in (
            ("limit", source.limit),
            ("max_turns", source.max_turns),
            ("max_chars", source.max_chars),
        )
    }
    require_at_least_one(where, {"rse.judge_draws": table.judge_draws, **limits})
