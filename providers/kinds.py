"""Kinds of providers: the built-in ones, those of plug-ins, and what depends on a model's kind."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from .base import Adapter, OpenAdapter, ProviderKind
from .errors import SettingsInvalid
from .http.http_kind import HTTP
from .openai.openai_kind import OPENAI
from .options import digest_suffix, suggest
from .settings import ModelSettings, check_addresses
from .simulation.simulated_kind import SIMULATED

BUILT_IN = (HTTP, OPENAI, SIMULATED)


def _open_reserved(
    settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
) -> AbstractAsyncContextManager[Adapter]:
    raise SettingsInvalid(f"provider {settings.provider} is not available in this version")


def _check_reserved(settings: ModelSettings, path: str) -> None:
    check_addresses(settings, path)
    if settings.options:
        raise SettingsInvalid(f"{path}.options: provider {settings.provider} has no options")


def _no_suffix(settings: ModelSettings) -> str:
    return ""


# Names for later versions: no plug-in can take them, and no message suggests them.
RESERVED = (
    ProviderKind(
        name="vllm", open=_open_reserved, check=_check_reserved, identity_suffix=_no_suffix
    ),
)


class ProviderKinds:
    """The built-in kinds and those of *plugins*; a built-in kind wins over a plug-in of its name.

    A plug-in is looked up, and so imported, when a model of its kind is opened.
    """

    def __init__(self, plugins: Mapping[str, OpenAdapter] | None = None) -> None:
        self._plugins = plugins if plugins is not None else {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a config may use."""
        built_in = tuple(kind.name for kind in BUILT_IN)
        return (*built_in, *sorted(set(self._plugins) - set(_FIXED)))

    def find(self, name: str, path: str) -> ProviderKind:
        """Return the kind called *name*. Raises SettingsInvalid naming *path*, a model's."""
        if name in _FIXED:
            return _FIXED[name]
        if name not in tuple(self._plugins):  # `in` on a Mapping would look the plug-in up
            hint = suggest(name, self.names)
            raise SettingsInvalid(f"{path}.provider: unknown provider {name}; {hint}")
        plugins = self._plugins

        def open_plugin(
            settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
        ) -> AbstractAsyncContextManager[Adapter]:
            return plugins[name](settings, slots=slots, api_key=api_key, headers=headers)

        return _plugin_kind(name, open_plugin)


def find_rules(name: str) -> ProviderKind:
    """Return the kind called *name* for its rules: a name that is not built in is a plug-in's.

    All plug-ins have the same rules, so this needs none of them. It cannot open a plug-in.
    """
    return _FIXED.get(name) or _plugin_kind(name, _open_unknown)


def check_kind(settings: ModelSettings, path: str) -> None:
    """Raise SettingsInvalid naming *path* and the setting for what the model's kind forbids."""
    if settings.budget.cost_usd is not None and not has_known_price(settings):
        raise SettingsInvalid(
            f"{path}.budget.cost_usd cannot be enforced: "
            f"{path.rpartition(': ')[2]}.price is not set "
            "(a free model has price = { input_per_mtok = 0, output_per_mtok = 0 })"
        )
    find_rules(settings.provider).check(settings, path)


def has_known_price(settings: ModelSettings) -> bool:
    """Return whether it is known what a call of the model costs."""
    return settings.price is not None or find_rules(settings.provider).free


def wants_preflight(settings: ModelSettings) -> bool:
    """Return whether a small call before a run can find a wrong setting of the model."""
    return find_rules(settings.provider).preflight


def model_identity(settings: ModelSettings) -> str:
    """Return the string that tells requests to this model from requests to all others.

    Raises SettingsInvalid for options that `check_kind` rejects.
    """
    suffix = find_rules(settings.provider).identity_suffix(settings)
    name = f"{settings.provider}:{settings.model}{suffix}"
    return f"{name}@{settings.revision}" if settings.revision else name


def _plugin_kind(name: str, open_plugin: OpenAdapter) -> ProviderKind:
    return ProviderKind(
        name=name, open=open_plugin, check=check_addresses, identity_suffix=_plugin_suffix
    )


def _plugin_suffix(settings: ModelSettings) -> str:
    """Return a digest of the options: any of them may change the answers of a plug-in."""
    return digest_suffix(settings.options) if settings.options else ""


def _open_unknown(
    settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
) -> AbstractAsyncContextManager[Adapter]:
    raise SettingsInvalid(f"provider: unknown provider {settings.provider}")


_FIXED = {kind.name: kind for kind in (*BUILT_IN, *RESERVED)}
