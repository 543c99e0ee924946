"""Checks on the events of one run, before they are recorded.

The types of a measurement's events are known when a run starts: the members of its union. An event
of another type could be written, but never read again. Every run ends with one Finished event, by
which a finished recording is told from one that was cut.
"""

from __future__ import annotations

from typing import Any, get_args

from ..errors import PluginBroken
from .events import Event, Finished


def event_types(events: Any) -> tuple[Any, ...]:
    """Return the members of *events*, the union of a measurement's event types."""
    return get_args(events) or (events,)


class EventChecks:
    """Checks the events of one run of the measurement *kind*. Keeps whether it has finished."""

    def __init__(self, kind: str, events: Any) -> None:
        self._kind = kind
        self._types = frozenset(event_types(events))
        self._finished = False

    def check(self, batch: object) -> None:
        """Raise PluginBroken unless every item of *batch* may be recorded next."""
        if not isinstance(batch, tuple | list):
            raise self._broken(f"emitted {type(batch).__name__}, not a sequence of events")
        for event in batch:
            self._check_event(event)

    def _check_event(self, event: Event) -> None:
        kind = type(event)
        if kind not in self._types:
            raise self._broken(f"emitted {kind.__name__}, which is none of its events")
        if self._finished:
            raise self._broken(f"emitted {kind.__name__} after Finished")
        self._finished = kind is Finished

    def end(self) -> None:
        """Raise PluginBroken unless the last event was Finished."""
        if not self._finished:
            raise self._broken("ended without the event Finished")

    def _broken(self, fault: str) -> PluginBroken:
        return PluginBroken(f"the measurement {self._kind} is broken: run {fault}")
