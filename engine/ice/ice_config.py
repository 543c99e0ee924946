"""Config table ``[ice]``."""

from __future__ import annotations

from typing import Literal

import msgspec

from ...providers.settings import SamplingTable
from ..errors import ConfigInvalid
from ..setup.config import require_at_least_one
from .ice_plan import Admit

PresetName = Literal["standard", "paper"]
SearchName = Literal["mcts", "static", "refine"]


class RoleSampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[ice.sampling.*]``: sampling parameters that override a model's own in one role."""

    target: SamplingTable = SamplingTable()
    helper: SamplingTable = SamplingTable()
    judge: SamplingTable = SamplingTable()


class IceTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[ice]``. A setting that is None takes its value from the preset."""

    targets: tuple[str, ...] = ()
    helper: str = ""
    judge: str = "lexical"
    preset: PresetName = "standard"
    judge_model: str = ""  # for a plug-in judge that calls a model
    judge_settings: dict[str, object] = {}
    search: SearchName = "mcts"
    probes: int | None = None
    questions: str = "builtin"
    templates: str = "builtin"
    selector: str | None = None
    selector_settings: dict[str, object] = {}
    mutators: tuple[str, ...] | None = None
    mutator_settings: dict[str, dict[str, object]] = {}
    admit: Admit | None = None
    questions_per_visit: int | None = None
    strict_vendors: tuple[str, ...] = ("openai", "anthropic")
    sampling: RoleSampling = RoleSampling()


def check_ice_table(table: IceTable, where: str) -> None:
    """Raise ConfigInvalid for a number below 1 or an empty list. *where* is the file's name."""
    require_at_least_one(
        where,
        {"ice.probes": table.probes, "ice.questions_per_visit": table.questions_per_visit},
    )
    if table.mutators is not None and not table.mutators:
        raise ConfigInvalid(f"{where}: ice.mutators must name at least one mutator")
