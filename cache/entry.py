"""What is stored under a key: request and response as JSON, behind a digest of both and the key."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from ..providers.types import Request, Response
from .errors import EntryDamaged
from .keys import KEY_VERSION, request_key

_DIGEST_BYTES = 20


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One stored answer, and the request that it answers."""

    key_version: int
    request: Request
    response: Response


class _Versioned(msgspec.Struct, frozen=True):
    key_version: int


class _Answer(msgspec.Struct, frozen=True):
    response: Response  # decoding into this skips the request, which is most of an entry


_ENCODER = msgspec.json.Encoder()
_ENTRY = msgspec.json.Decoder(Entry)
_VERSION = msgspec.json.Decoder(_Versioned)
_ANSWER = msgspec.json.Decoder(_Answer)


def encode_entry(key: str, request: Request, response: Response) -> bytes:
    """Return the bytes to store under *key*, which is that of *request*."""
    payload = _ENCODER.encode(Entry(key_version=KEY_VERSION, request=request, response=response))
    return _digest(key, payload) + payload


def decode_response(key: str, data: bytes) -> Response:
    """Return the stored response, or raise EntryDamaged."""
    payload = _checked_payload(key, data)
    try:
        return _ANSWER.decode(payload).response
    except msgspec.MsgspecError as error:
        raise EntryDamaged(key, f"no response can be read from it ({error})") from error


def decode_entry(key: str, data: bytes) -> Entry:
    """Return the whole entry, or raise EntryDamaged also when its request has another key.

    An entry of another key version keeps its key unchecked: this version would make another one.
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
    """Return the key version of a sound entry, or raise EntryDamaged.

    One of another version is sound when its digest is right: its request may have had other fields.
    """
    try:
        return decode_entry(key, data).key_version
    except EntryDamaged:
        version = _stated_version(_checked_payload(key, data))
        if version in {None, KEY_VERSION}:
            raise
        return version


def decode_unchecked(data: bytes) -> Entry | None:
    """Return what an entry says, sound or not; None when that cannot be read."""
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
    # The key is part of it, so that a value filed under another request's key is found out.
    digest = blake2b(key.encode(), digest_size=_DIGEST_BYTES)
    digest.update(payload)
    return digest.digest()
