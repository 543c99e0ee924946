"""Remembers every answer, so that a run can be replayed."""

from .cached import AnsweredCall, Cached, CallObserver
from .disk import DiskStore, open_store
from .entry import Entry, decode_entry, decode_response, encode_entry
from .errors import (
    CacheDamaged,
    CacheError,
    CacheMiss,
    CacheUnreadable,
    CacheUnwritable,
    EntryDamaged,
    ForeignValue,
    KeyAmbiguous,
    KeyInvalid,
    KeyUnknown,
)
from .explain import Explanation, explain_key
from .keys import KEY_VERSION, canonical, request_key
from .reader import Reader, open_reader
from .replay import ReplayOnly
from .store import MemoryStore, Store, StoreInfo
from .verify import Damage, OtherVersion, Verification, verify_cache

__all__ = [
    "KEY_VERSION",
    "CacheDamaged",
    "CacheError",
    "CacheMiss",
    "CacheUnreadable",
    "CacheUnwritable",
    "Cached",
    "Call",
    "CallObserver",
    "Damage",
    "DiskStore",
    "Entry",
    "EntryDamaged",
    "Explanation",
    "ForeignValue",
    "KeyAmbiguous",
    "KeyInvalid",
    "KeyUnknown",
    "MemoryStore",
    "OtherVersion",
    "Reader",
    "ReplayOnly",
    "Store",
    "StoreInfo",
    "Verification",
    "canonical",
    "decode_entry",
    "decode_response",
    "encode_entry",
    "explain_key",
    "open_reader",
    "open_store",
    "request_key",
    "verify_cache",
]
