"""Checks on plug-in providers.

Every error names the plug-in, and a response is passed on only if it can be stored and read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from copy import deepcopy
from functools import partial
from importlib.metadata import EntryPoint
from math import isfinite
from types import TracebackType

import msgspec

from ...engine.errors import InputInvalid, PluginBroken
from ...engine.setup.plugin_checks import Plugin, PluginFault, check_kept, excerpt
from ...providers.base import Adapter, AdapterReply, OpenAdapter
from ...providers.errors import ProviderError, RateLimited, TransientError
from ...providers.kinds import BUILT_IN, RESERVED
from ...providers.quota import Quota
from ...providers.settings import ModelSettings
from ...providers.types import Request, Response
from ..plugins import package_of

FindEntryPoints = Callable[[str], Mapping[str, EntryPoint]]


class CheckedProviders(Mapping[str, OpenAdapter]):
    """The openers of plug-in providers, by name. A plug-in is imported when it is looked up.

    Raises InputInvalid for a plug-in that has the name of a built-in provider.
    """

    def __init__(self, given: Mapping[str, OpenAdapter], find: FindEntryPoints) -> None:
        self._given = given
        self._find = find
        _refuse_built_in(given, find("providers"))

    def __getitem__(self, name: str) -> OpenAdapter:
        if name in self._given:
            plugin = Plugin(noun="provider", name=name)
            loaded: object = self._given[name]
        else:
            point = self._find("providers")[name]
            plugin = Plugin(noun="provider", name=name, package=package_of(point))
            with plugin.calling("its import"):
                loaded = point.load()
        with plugin.calling("it"):
            if not callable(loaded):
                raise PluginFault(f"is {excerpt(loaded)}, no function that opens a provider")
        return _Opener(plugin, loaded)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._given, *self._find("providers"))))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _refuse_built_in(given: Mapping[str, OpenAdapter], installed: Mapping[str, EntryPoint]) -> None:
    for kind in (*BUILT_IN, *RESERVED):
        package = package_of(installed[kind.name]) if kind.name in installed else ""
        if package or kind.name in given:
            raise InputInvalid(
                f"providers: {kind.name} is {'built in' if kind in BUILT_IN else 'reserved'}; "
                f"choose another name{f' in the package {package}' if package else ''}"
            )


class _Opener:
    """Opens a plug-in provider. Every error of it names the plug-in, and masks keys."""

    def __init__(self, plugin: Plugin, opener: OpenAdapter) -> None:
        self._plugin = plugin
        self._opener = opener

    def __call__(
        self, settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Adapter]:
        """Return a context manager that opens the adapter. Entering it calls the plug-in."""
        looked_up = (name for name, value in settings.headers.items() if value.startswith("env:"))
        secrets = (api_key, *(headers[name] for name in looked_up))
        own = deepcopy(settings)  # the options are a dict, which the plug-in could change
        return _Opened(
            msgspec.structs.replace(self._plugin, secrets=tuple(filter(None, secrets))),
            partial(self._opener, own, slots=slots, api_key=api_key, headers=dict(headers)),
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
        # An error of the block must stay as it is. The plug-in cannot suppress it, because its
        # return value is ignored. It cannot replace it either: its own error is dropped then.
        try:
            with self._plugin.calling("close", may_raise=ProviderError):
                await self._context.__aexit__(kind, error, trace)
        except (PluginBroken, ProviderError):
            if not isinstance(error, Exception):
                raise


class _CheckedAdapter:
    """Adapter that checks the replies of a plug-in: they must survive storing and reading."""

    def __init__(self, plugin: Plugin, inner: Adapter) -> None:
        self._plugin = plugin
        self._inner = inner

    async def send(self, request: Request) -> AdapterReply:
        """Return the reply, or raise a ProviderError."""
        with self._plugin.calling("send", may_raise=ProviderError):
            try:
                reply = await self._inner.send(request)
            except TransientError as error:
                _check_error(error)
                raise
            if not isinstance(reply, AdapterReply):
                raise PluginFault(f"returned {excerpt(reply)}, not an AdapterReply")
            check_kept(reply.response, Response)
            _check_quota(reply.quota, "returned")
        return reply


def _check_error(error: TransientError) -> None:
    """Raise PluginFault unless the limits and retry code can use the fields of *error*."""
    wait_s: object = error.retry_after_s
    is_number = type(wait_s) in (int, float)
    if wait_s is not None and not (is_number and isfinite(wait_s) and wait_s >= 0):  # type: ignore[arg-type,operator]
        raise PluginFault(
            f"raised {type(error).__name__} with retry_after_s {excerpt(wait_s)}, which is neither "
            "None nor a finite number of at least 0"
        )
    if isinstance(error, RateLimited):
        _check_quota(error.quota, "raised RateLimited with")


def _check_quota(quota: object, verb: str) -> None:
    if quota is None:
        return
    if not isinstance(quota, Quota):
        raise PluginFault(f"{verb} {excerpt(quota)}, not a Quota")
    check_kept(quota, Quota, verb=verb)
    for allowance in (quota.requests, quota.tokens):
        for name in allowance.__struct_fields__:
            value = getattr(allowance, name)
            if value is not None and value < (name == "limit"):
                raise PluginFault(f"{verb} a Quota in which {name} is {value}")
