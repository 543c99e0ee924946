"""Errors of the cache."""

from __future__ import annotations

from typing import TypeVar

AnyError = TypeVar("AnyError", bound=Exception)


class CacheError(Exception):
    """Root of every error that the cache raises."""


class CacheMiss(CacheError):
    """A replay needs a response that is not stored; a replay never sends a request."""

    def __init__(self, message: str, *, request_key: str) -> None:
        super().__init__(message)
        self.request_key = request_key


class EntryDamaged(CacheError):
    """A stored response was changed after it was stored; *rule* is the check that fails."""

    def __init__(self, request_key: str, rule: str, *, advice: str = "") -> None:
        super().__init__(f"stored answer {request_key} is damaged: {rule}{advice}")
        self.request_key = request_key
        self.rule = rule


class ForeignValue(CacheError):
    """A row that Hydrometer did not write, such as a pickle; it was refused and not loaded."""


class CacheUnwritable(CacheError):
    """Nothing can be stored now (disk full, read-only or locked), so the run has to pause."""

    def __init__(self, folder: str, cause: str) -> None:
        super().__init__(f"answers cannot be stored in {folder}: {cause}")
        self.folder = folder
        self.cause = cause


class CacheUnreadable(CacheError):
    """The folder holds no cache that can be read. Nothing in the folder was changed."""

    def __init__(self, folder: str, cause: str) -> None:
        super().__init__(f"the cache in {folder} cannot be read: {cause}")
        self.folder = folder
        self.cause = cause


class CacheDamaged(CacheUnreadable):
    """The folder holds a cache whose database is damaged. Nothing in the folder was changed."""


class KeyInvalid(CacheError):
    """The text is neither a key nor the beginning of a key."""


class KeyUnknown(CacheError):
    """No stored response has a key that begins with *prefix*.

    *nearest* are the stored keys that have the longest beginning in common with it.
    """

    def __init__(self, folder: str, prefix: str, *, nearest: tuple[str, ...]) -> None:
        near = f"nearest: {', '.join(nearest)}" if nearest else "no key is similar"
        super().__init__(f"no answer in {folder} has a key that begins with {prefix}; {near}")
        self.prefix = prefix
        self.nearest = nearest


class KeyAmbiguous(CacheError):
    """Several keys begin with *prefix*."""

    def __init__(self, prefix: str, *, matches: int) -> None:
        super().__init__(f"{matches:,} keys begin with {prefix}: give more of its digits")
        self.prefix = prefix
        self.matches = matches


def own_copy(error: AnyError) -> AnyError:
    """Return a copy of *error*, caused by *error*, for another task to raise.

    If several tasks raised the same object, its traceback would mix the frames of all of them.
    """
    copy = type(error).__new__(type(error), *error.args)
    vars(copy).update(vars(error))
    copy.__cause__ = error
    return copy
