"""Entry format of the cache: request and response as JSON, behind a digest.

The digest covers the key too, so that an entry under the key of another request is recognised as
damaged.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from ..providers.types import Request, Response
from .errors import EntryDamaged
from .keys import KEY_VERSION, request_key

_DIGEST_BYTES = 20


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One stored response, and the request that it answers."""

    key_version: int
    request: Request
    response: Response


class _Versioned(msgspec.Struct, frozen=True):
    key_version: int


class _ResponsePart(msgspec.Struct, frozen=True):
    response: Response  # the request, most of an entry, is skipped


_ENCODER = msgspec.json.Encoder()
_ENTRY = msgspec.json.Decoder(Entry)
_VERSION = msgspec.json.Decoder(_Versioned)
_RESPONSE = msgspec.json.Decoder(_ResponsePart)


def encode_entry(key: str, request: Request, response: Response) -> bytes:
    """Return the bytes to store under *key*, which must be the key of *request*."""
    payload = _ENCODER.encode(Entry(key_version=KEY_VERSION, request=request, response=response))
    return _digest(key, payload) + payload


def decode_response(key: str, data: bytes) -> Response:
    """Return the stored response, or raise EntryDamaged."""
    payload = _checked_payload(key, data)
    try:
        return _RESPONSE.decode(payload).response
    except msgspec.MsgspecError as error:
        raise EntryDamaged(key, f"no response can be read from it ({error})") from error


def decode_entry(key: str, data: bytes) -> Entry:
    """Return the whole entry.

    Raises EntryDamaged, also when the entry's request has another key. The key of an entry of
    another key version is not checked, because this version computes another key for its request.
    """
    payload = _checked_payload(key, data)
    try:
        entry = _ENTRY.decode(payload)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise EntryDamaged(key, f"no entry can be read from it ({error})") from error
    if entry.key_version == KEY_VERSION and request_key(entry.request) != key:
        raise EntryDamaged(key, f"its request has the key {request_key(entry.request)}")
    return entry


def checked_version(key: str, data: bytes) -> int:
    """Return the key version of an intact entry, or raise EntryDamaged.

    An entry of another version counts as intact when its digest is right: in that version a request
    may have had other fields.
    """
    try:
        return decode_entry(key, data).key_version
    except EntryDamaged:
        version = _stated_version(_checked_payload(key, data))
        if version in {None, KEY_VERSION}:
            raise
        return version


def decode_unchecked(data: bytes) -> Entry | None:
    """Return an entry without checking it, or None when it cannot be decoded."""
    try:
        return _ENTRY.decode(data[_DIGEST_BYTES:])
    except (msgspec.MsgspecError, ValueError, TypeError):
        return None


def _stated_version(payload: bytes) -> int | None:
    try:
        return _VERSION.decode(payload).key_version
    except (msgspec.MsgspecError, ValueError):
        return None


def _checked_payload(key: str, data: bytes) -> bytes:
    if len(data) < _DIGEST_BYTES:
        raise EntryDamaged(key, f"it is {len(data)} bytes long, shorter than its digest")
    payload = data[_DIGEST_BYTES:]
    if data[:_DIGEST_BYTES] != _digest(key, payload):
        raise EntryDamaged(key, "its digest does not match")
    return payload


def _digest(key: str, payload: bytes) -> bytes:
    digest = blake2b(key.encode(), digest_size=_DIGEST_BYTES)
    digest.update(payload)
    return digest.digest()
