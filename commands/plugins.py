"""Strategies and providers of other packages, found by their entry points.

A package declares them as ``[project.entry-points."hydrometer.selectors"]`` and so on; a program
may hand its own in instead. Nothing is imported before a config or a plan names it. What comes
from them is checked: strategies by the catalogue (engine/setup/plugin_checks.py), providers here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from types import TracebackType

import msgspec

from ..engine.errors import InputInvalid, PluginBroken
from ..engine.setup.plugin_checks import Plugin, PluginFault, StrategyKind, check_kept, excerpt
from ..engine.setup.registry import PluginSpec, StrategyRegistry
from ..providers.base import Adapter, AdapterReply, OpenAdapter
from ..providers.errors import ProviderError
from ..providers.quota import Quota
from ..providers.settings import ModelSettings
from ..providers.types import Request, Response


class Plugins:
    """What there is beside Hydrometer's own: what is handed in here, and what is installed."""

    def __init__(
        self,
        *,
        selectors: Mapping[str, type] | None = None,
        mutators: Mapping[str, type] | None = None,
        judges: Mapping[str, type] | None = None,
        providers: Mapping[str, OpenAdapter] | None = None,
    ) -> None:
        self._given: dict[StrategyKind, Mapping[str, type]] = {
            "selectors": selectors or {},
            "mutators": mutators or {},
            "judges": judges or {},
        }
        self.catalogue = StrategyRegistry(self._find)
        self.providers: Mapping[str, OpenAdapter] = _Providers(providers or {})

    def _find(self, kind: StrategyKind) -> Mapping[str, PluginSpec]:
        installed = {
            name: PluginSpec(load=point.load, package=_package(point))
            for name, point in _points(kind).items()
        }
        given = {
            name: PluginSpec(load=partial(_itself, cls)) for name, cls in self._given[kind].items()
        }
        return {**installed, **given}


class _Providers(Mapping[str, OpenAdapter]):
    """Openers by provider name; what one is is found out when a model wants it."""

    def __init__(self, given: Mapping[str, OpenAdapter]) -> None:
        self._given = given

    def __getitem__(self, name: str) -> OpenAdapter:
        if name in self._given:
            return _Opener(Plugin(noun="provider", name=name), self._given[name])
        point = _points("providers")[name]
        plugin = Plugin(noun="provider", name=name, package=_package(point))
        with plugin.calling("its import"):
            loaded = point.load()
            if not callable(loaded):
                raise PluginFault("gave no function that opens a provider")
        return _Opener(plugin, loaded)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._given, *_points("providers"))))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _itself(cls: type) -> object:
    return cls


def _points(kind: str) -> dict[str, EntryPoint]:
    """Return the entry points of one kind by name. Raises InputInvalid for a name given twice."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"hydrometer.{kind}"):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise InputInvalid(
                f"two packages give a {kind.removesuffix('s')} {point.name}: "
                f"{_package(other)} and {_package(point)}; uninstall one"
            )
    return found


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value


class _Opener:
    """Opens a provider of another package, which is named by whatever goes wrong in it."""

    def __init__(self, plugin: Plugin, opener: OpenAdapter) -> None:
        self._plugin = plugin
        self._opener = opener

    def __call__(
        self, settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Adapter]:
        """Return what opens the adapter; the plug-in is not called before."""
        looked_up = (name for name, value in settings.headers.items() if value.startswith("env:"))
        secrets = (api_key, *(headers[name] for name in looked_up))
        return _Opened(
            msgspec.structs.replace(self._plugin, secrets=tuple(filter(None, secrets))),
            partial(self._opener, settings, slots=slots, api_key=api_key, headers=headers),
        )


class _Opened(AbstractAsyncContextManager[Adapter, None]):
    def __init__(
        self, plugin: Plugin, opener: Callable[[], AbstractAsyncContextManager[Adapter]]
    ) -> None:
        self._plugin = plugin
        self._opener = opener

    async def __aenter__(self) -> Adapter:
        with self._plugin.calling("open", may_raise=ProviderError):
            self._context = self._opener()
            inner = await self._context.__aenter__()
        return _CheckedAdapter(self._plugin, inner)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What went wrong inside is not for a plug-in to swallow, nor to replace by its wake.
        try:
            with self._plugin.calling("close", may_raise=ProviderError):
                await self._context.__aexit__(kind, error, trace)
        except (PluginBroken, ProviderError):
            if not isinstance(error, Exception):
                raise


class _CheckedAdapter:
    """Passes on replies whose responses can be stored and read again."""

    def __init__(self, plugin: Plugin, inner: Adapter) -> None:
        self._plugin = plugin
        self._inner = inner

    async def send(self, request: Request) -> AdapterReply:
        """Return the reply, or raise a ProviderError."""
        with self._plugin.calling("send", may_raise=ProviderError):
            reply = await self._inner.send(request)
            if not isinstance(reply, AdapterReply):
                raise PluginFault(f"returned {excerpt(reply)}, not an AdapterReply")
            check_kept(reply.response, Response)
            if not isinstance(reply.quota, Quota | None):
                raise PluginFault(f"returned {excerpt(reply.quota)}, not a Quota")
        return reply
