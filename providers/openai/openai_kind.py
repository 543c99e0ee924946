"""Provider kind "openai": OpenAI-compatible endpoints through the openai SDK."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from ..base import Adapter, ProviderKind
from ..options import parse_options
from ..settings import ModelSettings, check_addresses
from .openai_options import OpenAIOptions


def _open(
    settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
) -> AbstractAsyncContextManager[Adapter]:
    from .openai_adapter import open_openai  # noqa: PLC0415 (importing the SDK takes a second)

    return open_openai(settings, slots=slots, api_key=api_key, headers=headers)


def _check(settings: ModelSettings, path: str) -> None:
    check_addresses(settings, path)
    endpoints = settings.endpoints
    parse_options(settings.options, OpenAIOptions, f"{path}.options").check(
        path,
        base_url=settings.base_url or next((endpoint.base_url for endpoint in endpoints), ""),
        has_key=bool(settings.api_key_env or any(endpoint.api_key_env for endpoint in endpoints)),
        has_header=any(name.lower() == "authorization" for name in settings.headers),
    )


def _identity_suffix(settings: ModelSettings) -> str:
    """Return Azure's deployment: there it decides who answers, not the model's name."""
    deployment = settings.options.get("deployment")
    return f"/{deployment}" if deployment else ""


OPENAI = ProviderKind(
    name="openai",
    open=_open,
    check=_check,
    identity_suffix=_identity_suffix,
    extra="openai",
)
