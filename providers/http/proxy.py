"""Proxy look-up: which proxy the environment names for an address, and its credentials."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

# It is there on every platform; typeshed alone leaves it out.
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

import msgspec

from ..errors import SettingsInvalid


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy. *url* holds no user and no password; *authorization* is the header made of them."""

    variable: str
    url: str
    password: str = ""
    authorization: str = ""


def find_proxy(url: str, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy that *environ* names for *url*; None for a direct connection.

    Loopback addresses and those in NO_PROXY use no proxy. Raises SettingsInvalid for an invalid
    address, and for a proxy that cannot be used. The value of the variable is never repeated.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise SettingsInvalid(f"base_url is no valid address: {error}") from error
    variable = _set_variable(parts.scheme, environ) or _set_variable("all", environ)
    if not variable or _is_loopback(host):
        return None
    direct = environ.get(_set_variable("no", environ), "")
    if proxy_bypass_environment(parts.netloc, {"no": direct}):
        return None
    return _parse_proxy(variable, environ[variable])


def _set_variable(kind: str, environ: Mapping[str, str]) -> str:
    """Return the variable that names the proxy of *kind*; lower case wins, even if it is empty."""
    name = f"{kind}_proxy"
    name = name if name in environ else name.upper()
    return name if environ.get(name) else ""


def _parse_proxy(variable: str, value: str) -> Proxy:
    """Return the proxy that *value* names. Without a scheme it is an http one, as for curl."""
    parts = _split(value if "://" in value else f"http://{value}")
    if parts is None:
        raise SettingsInvalid(
            f"base_url is reached through the proxy in {variable}, which is no valid address "
            "(value not shown)"
        )
    if parts.scheme not in ("http", "https"):
        raise SettingsInvalid(
            f"base_url is reached through the proxy in {variable}, and only http:// and https:// "
            "proxies can be used, no socks (value not shown)"
        )
    proof, _, place = parts.netloc.rpartition("@")
    user, _, password = (unquote(part) for part in proof.partition(":"))
    basic = b64encode(f"{user}:{password}".encode()).decode()
    return Proxy(
        variable=variable,
        url=f"{parts.scheme}://{place}",
        password=password,
        authorization=f"Basic {basic}" if proof else "",
    )


def _split(url: str) -> SplitResult | None:
    if not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
