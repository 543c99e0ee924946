"""Remembers every answer, so that a run can be replayed."""

from .cached import Cached, Call, CallObserver
from .disk import DiskStore, open_store
from .entry import Entry, decode_entry, decode_response, encode_entry
from .errors import (
    CacheError,
    CacheMiss,
    CacheUnreadable,
    CacheUnwritable,
    EntryDamaged,
    ForeignValue,
)
from .keys import KEY_VERSION, canonical, request_key
from .replay import ReplayOnly
from .store import MemoryStore, Store, StoreInfo

__all__ = [
    "KEY_VERSION",
    "CacheError",
    "CacheMiss",
    "CacheUnreadable",
    "CacheUnwritable",
    "Cached",
    "Call",
    "CallObserver",
    "DiskStore",
    "Entry",
    "EntryDamaged",
    "ForeignValue",
    "MemoryStore",
    "ReplayOnly",
    "Store",
    "StoreInfo",
    "canonical",
    "decode_entry",
    "decode_response",
    "encode_entry",
    "open_store",
    "request_key",
]
