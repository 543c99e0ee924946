"""Provider kind "http": OpenAI-compatible endpoints over aiohttp."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from ..base import Adapter, ProviderKind
from ..errors import SettingsInvalid
from ..settings import ModelSettings, check_addresses


def _open(
    settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
) -> AbstractAsyncContextManager[Adapter]:
    from .http_adapter import open_http  # noqa: PLC0415 (aiohttp is a third of a start)

    return open_http(settings, slots=slots, api_key=api_key, headers=headers)


def _check(settings: ModelSettings, path: str) -> None:
    if not settings.base_url and not settings.endpoints:
        raise SettingsInvalid(f"{path}.base_url is missing")
    check_addresses(settings, path)
    if settings.options:
        raise SettingsInvalid(f"{path}.options: provider {settings.provider} has no options")


def _identity_suffix(settings: ModelSettings) -> str:
    return ""


HTTP = ProviderKind(name="http", open=_open, check=_check, identity_suffix=_identity_suffix)
