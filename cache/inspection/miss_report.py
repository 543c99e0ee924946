"""Report on a cache miss: the stored request most similar to the one that missed.

A replay usually misses because the user changed one setting. The report names the field that
differs, so that the user can change it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec

from ...providers.types import Request
from ..entry import decode_entry
from ..errors import EntryDamaged, ForeignValue
from ..store import Store

SEARCHED_ENTRIES = 20_000

_EXCERPT = 40
_Field = str | int | float | tuple[str, ...] | None


class Nearest(msgspec.Struct, frozen=True, kw_only=True):
    """The stored entry that is most similar to the request that missed."""

    key: str
    request: Request


def describe_miss(key: str, request: Request) -> str:
    """Return which request has no stored answer, with the beginning of its text."""
    text = _excerpt(request.messages[-1].content, start=0, length=60)
    return f"no stored answer for {request.identity} (key {key[:12]}..., {text})"


def describe_nearest(request: Request, nearest: Nearest | None) -> str:
    """Return the most likely cause of the miss, and how many other fields differ."""
    if nearest is None:
        return "the cache holds no entry to compare it with"
    here, stored = _fields(request), _fields(nearest.request)
    first, *others = _differing(here, stored)
    more = f" and in {len(others)} more" if others else ""
    shown = _shown(here[first], stored[first])
    return f"nearest entry {nearest.key[:12]}... differs in {first} ({shown}){more}"


def find_nearest(
    request: Request, store: Store, *, limit: int = SEARCHED_ENTRIES
) -> Nearest | None:
    """Return the most similar of the first *limit* entries; among equals, the oldest."""
    wanted = _fields(request)
    best: Nearest | None = None
    best_distance: tuple[int, ...] = ()
    for nearest in islice(_entries(store), limit):
        distance = _distance(wanted, _fields(nearest.request))
        if best is None or distance < best_distance:
            best, best_distance = nearest, distance
    return best


def _entries(store: Store) -> Iterator[Nearest]:
    # The miss is the error to report. A damaged entry raises its own error when it is requested.
    for key in store.keys():  # noqa: SIM118  # a store is no mapping
        try:
            data = store.get(key)
            if data is not None:
                yield Nearest(key=key, request=decode_entry(key, data).request)
        except (EntryDamaged, ForeignValue):
            continue


def _fields(request: Request) -> dict[str, _Field]:
    """Return every field under its path, in order of how likely a user is to change it."""
    sampling = request.sampling
    fields: dict[str, _Field] = {
        f"sampling.{name}": getattr(sampling, name) for name in sampling.__struct_fields__
    }
    fields |= {"draw": request.draw, "identity": request.identity, "mode": request.mode}
    fields["messages"] = len(request.messages)
    for index, message in enumerate(request.messages):
        fields[f"messages[{index}].role"] = message.role
        fields[f"messages[{index}].content"] = message.content
    return fields


def _differing(here: dict[str, _Field], stored: dict[str, _Field]) -> list[str]:
    return [name for name in here if name in stored and here[name] != stored[name]]


def _distance(here: dict[str, _Field], stored: dict[str, _Field]) -> tuple[int, ...]:
    """Return a sort key: equal messages first, then fewer differing fields, then likelier ones."""
    names = _differing(here, stored)
    rarest = max((list(here).index(name) for name in names), default=0)
    if not any(name.startswith("messages") for name in names):
        return 0, 0, len(names), rarest
    common = _common_length(_last_text(here), _last_text(stored))
    return 1, -common, len(names), rarest


def _last_text(fields: dict[str, _Field]) -> str:
    return str(fields[next(reversed(fields))])


def _common_length(one: str, other: str) -> int:
    """Return the length of the common beginning plus that of the common end."""
    return _common_prefix(one, other) + _common_prefix(one[::-1], other[::-1])


def _common_prefix(one: str, other: str) -> int:
    # Binary search: comparing slices is a hundred times faster than comparing characters.
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one.startswith(other[:middle]):
            low = middle
        else:
            high = middle - 1
    return low


def _shown(here: _Field, stored: _Field) -> str:
    start = 0
    if isinstance(here, str) and isinstance(stored, str):
        start = max(0, _common_prefix(here, stored) - _EXCERPT // 2)
    return f"{_excerpt(here, start)} here, {_excerpt(stored, start)} stored"


def _excerpt(value: _Field, start: int, length: int = _EXCERPT) -> str:
    if value is None:
        return "unset"
    if not isinstance(value, str):
        return str(value)
    before, after = "..." if start else "", "..." if start + length < len(value) else ""
    # As JSON: the difference may be a line break, and an error message is one line.
    return msgspec.json.encode(f"{before}{value[start : start + length]}{after}").decode()
