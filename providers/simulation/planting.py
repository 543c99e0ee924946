"""Planting: the known behaviour of a simulated model, and the option that holds it."""

from __future__ import annotations

from typing import Literal

import msgspec

from ..options import parse_options
from ..settings import ModelSettings
from ..types import NotNegative, Share

Relation = Literal["copy", "paraphrase", "family", "unrelated"]


class Planting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The known behaviour of a simulated model. It is part of the model's identity.

    A target claims another identity with probability *rate*. If cues of *traits* (case-insensitive
    substrings) are in the prompt, the highest of their entries replaces *rate*. The factors of the
    question's category and language multiply it, up to 1. *claims* are the weights of the vendors
    that it then claims.
    A helper or judge errs with probability *error*. A helper drops its template's cues (the keys of
    *traits*) with probability *forget*.
    A writer ("sim-writer...") answers any prompt, as a model in *relation* to the first model of
    *family*.
    """

    seed: int = 0
    rate: Share = 0.1
    traits: dict[str, Share] = {}
    categories: dict[str, NotNegative] = {}
    languages: dict[str, NotNegative] = {}
    claims: dict[str, NotNegative] = msgspec.field(
        default_factory=lambda: {"openai": 0.7, "anthropic": 0.3}
    )
    error: Share = 0.0
    forget: Share = 0.1
    family: int = 0
    relation: Relation = "copy"


class SimulatedOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[models.NAME.options]`` of provider "simulated"."""

    planting: Planting = Planting()


def planting_of(settings: ModelSettings, path: str = "options") -> Planting:
    """Return a simulated model's planting. Raises SettingsInvalid naming *path* and the option."""
    return parse_options(settings.options, SimulatedOptions, path).planting
