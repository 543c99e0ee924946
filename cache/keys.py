"""The name under which the answer to a request is stored."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from ..providers.types import Request

# Raise this when anything below changes, or a field of Request: old keys then stay what they are.
KEY_VERSION = 1

_PREFIX = f"hydrometer key {KEY_VERSION}\n".encode()
_DIGEST_BYTES = 20

# Sorted, so that moving a field in types.py moves no key. Defaults are written like other values.
_ENCODER = msgspec.json.Encoder(order="sorted")


def canonical(request: Request) -> bytes:
    """Return the one JSON text of this request, every field written and no text normalised."""
    return _ENCODER.encode(request)


def request_key(request: Request) -> str:
    """Return the key of this request: 40 lower-case hexadecimal digits."""
    return blake2b(_PREFIX + canonical(request), digest_size=_DIGEST_BYTES).hexdigest()
