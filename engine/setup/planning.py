"""Planning of models: turns the models of a config into those of a plan. Nothing is sent."""

from __future__ import annotations

from typing import Any

import msgspec

from ...providers.kinds import model_identity
from ...providers.settings import ModelSettings, SamplingTable
from ...providers.types import Sampling
from ..errors import ConfigInvalid
from .config import Config
from .hints import name_hint
from .models import PlannedModel


def reject_duplicate_identities(config: Config) -> None:
    """Raise ConfigInvalid for two models with one identity and different addresses.

    They would share cached answers, although they may answer differently.
    """
    first: dict[str, tuple[str, frozenset[str]]] = {}
    for name, settings in config.models.items():
        urls = (settings.base_url, *(endpoint.base_url for endpoint in settings.endpoints))
        addresses = frozenset(url.rstrip("/") for url in urls)
        identity, own = model_identity(settings), addresses - {""}
        other_name, other_addresses = first.setdefault(identity, (name, own))
        if own != other_addresses:
            raise ConfigInvalid(
                f"models.{name} and models.{other_name} are both {identity} at different "
                "addresses; if they can answer differently, give one of them a revision"
            )


_NO_MODELS = "none (add a [models.NAME] table)"


def find_model(config: Config, name: str, path: str) -> ModelSettings:
    """Return the settings of the model *name*. Raises ConfigInvalid.

    *path* is the path of the setting that contains the name.
    """
    if not name:
        known = ", ".join(config.models) or _NO_MODELS
        raise ConfigInvalid(f"{path} is missing: name one of {known}")
    if name not in config.models:
        hint = name_hint(name, config.models, none=_NO_MODELS)
        raise ConfigInvalid(f"{path}: no model is named {name}; {hint}")
    return config.models[name]


def plan_model(
    name: str,
    settings: ModelSettings,
    override: SamplingTable,
    temperature: float | None,
    *,
    vendor: str = "",
) -> PlannedModel:
    """Return a model as a plan records it. *override* takes precedence over its own sampling.

    *temperature* is the preset's. It applies if neither of the two sets one.
    """
    return PlannedModel(
        name=name,
        identity=model_identity(settings),
        vendor=vendor or settings.vendor,
        mode=settings.mode,
        system=settings.system,
        prompt_template=settings.prompt_template if settings.mode == "completion" else "{prompt}",
        sampling=_sampling(name, settings, override, temperature),
    )


def _sampling(
    name: str, settings: ModelSettings, override: SamplingTable, temperature: float | None
) -> Sampling:
    """Merge three sources: the role's table first, then the model's, then the preset's temperature.

    A parameter that none of them sets is not sent.
    """
    merged: dict[str, Any] = {} if temperature is None else {"temperature": temperature}
    if settings.stop:
        merged["stop"] = settings.stop
    for table in (settings.sampling, override):
        for field in SamplingTable.__struct_fields__:
            value = getattr(table, field)
            if value is not None:
                merged[field] = value
    if "extra" in merged:
        merged["extra"] = msgspec.json.encode(merged["extra"], order="deterministic").decode()
    try:
        return Sampling(**merged)
    except (TypeError, ValueError) as error:
        raise ConfigInvalid(f"models.{name}.sampling: {error}") from None
