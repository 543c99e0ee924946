"""Cache key: a digest of everything in a request that can change its response."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from ..providers.types import Request

# Raise this when anything below changes, or a field of Request: old keys then keep their meaning.
KEY_VERSION = 1

_PREFIX = f"hydrometer key {KEY_VERSION}\n".encode()
_DIGEST_BYTES = 20

# Sorted, so that moving a field in types.py changes no key. Default values are written too.
_ENCODER = msgspec.json.Encoder(order="sorted")


class KeyedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request and its cache key; ``with_key`` makes one."""

    key: str
    request: Request


def canonical(request: Request) -> bytes:
    """Return the one JSON text of this request, every field written and no text normalised."""
    return _ENCODER.encode(request)


def request_key(request: Request) -> str:
    """Return the key of this request: 40 lower-case hexadecimal digits."""
    return blake2b(_PREFIX + canonical(request), digest_size=_DIGEST_BYTES).hexdigest()


def with_key(request: Request) -> KeyedRequest:
    """Return *request* together with its key."""
    return KeyedRequest(key=request_key(request), request=request)
