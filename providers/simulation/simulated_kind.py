"""Provider kind "simulated": models with known behaviour, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from ..base import Adapter, ProviderKind
from ..options import digest_suffix
from ..settings import ModelSettings
from .planting import planting_of


def _open(
    settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
) -> AbstractAsyncContextManager[Adapter]:
    from .simulated_adapter import open_simulated  # noqa: PLC0415 (large word lists)

    return open_simulated(settings, slots=slots, api_key=api_key, headers=headers)


def _check(settings: ModelSettings, path: str) -> None:
    planting_of(settings, f"{path}.options")  # any address is ignored


def _identity_suffix(settings: ModelSettings) -> str:
    return digest_suffix(planting_of(settings))


SIMULATED = ProviderKind(
    name="simulated",
    open=_open,
    check=_check,
    identity_suffix=_identity_suffix,
    free=True,
    preflight=False,
)
