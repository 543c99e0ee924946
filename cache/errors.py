"""What can go wrong between us and the stored answers."""

from __future__ import annotations

from typing import TypeVar

AnyError = TypeVar("AnyError", bound=Exception)


class CacheError(Exception):
    """Root of every error that the cache raises."""


class CacheMiss(CacheError):
    """A replay asked for an answer that is not stored; it never asks a model instead."""

    def __init__(self, message: str, *, request_key: str) -> None:
        super().__init__(message)
        self.request_key = request_key


class EntryDamaged(CacheError):
    """A stored answer is not what was stored; *rule* is the check that it fails."""

    def __init__(self, request_key: str, rule: str, *, advice: str = "") -> None:
        super().__init__(f"stored answer {request_key} is damaged: {rule}{advice}")
        self.request_key = request_key
        self.rule = rule


class ForeignValue(CacheError):
    """A row that Hydrometer did not write, perhaps a pickle: it was refused, not run."""


class CacheUnwritable(CacheError):
    """Nothing can be stored now (full, read-only, locked): the run has to pause."""

    def __init__(self, folder: str, cause: str) -> None:
        super().__init__(f"answers cannot be stored in {folder}: {cause}")
        self.folder = folder
        self.cause = cause


class CacheUnreadable(CacheError):
    """The folder holds no cache that can be read; nothing in it was changed."""

    def __init__(self, folder: str, cause: str) -> None:
        super().__init__(f"the cache in {folder} cannot be read: {cause}")
        self.folder = folder
        self.cause = cause


class CacheDamaged(CacheUnreadable):
    """The folder holds a cache whose database is broken; nothing in it was changed."""


class KeyInvalid(CacheError):
    """What was given is neither a key nor the beginning of one."""


class KeyUnknown(CacheError):
    """No answer is stored under a key that begins so; *nearest* are those that begin alike."""

    def __init__(self, folder: str, prefix: str, *, nearest: tuple[str, ...]) -> None:
        near = f"nearest: {', '.join(nearest)}" if nearest else "none is near it"
        super().__init__(f"no answer in {folder} has a key that begins with {prefix}; {near}")
        self.prefix = prefix
        self.nearest = nearest


class KeyAmbiguous(CacheError):
    """Several keys begin so."""

    def __init__(self, prefix: str, *, matches: int) -> None:
        super().__init__(f"{matches:,} keys begin with {prefix}: give more of its digits")
        self.prefix = prefix
        self.matches = matches


def own_copy(error: AnyError) -> AnyError:
    """Return an equal error, caused by *error*, for one more task to raise.

    An exception that several tasks raise collects the tracebacks of all of them.
    """
    copy = type(error).__new__(type(error), *error.args)
    vars(copy).update(vars(error))
    copy.__cause__ = error
    return copy
