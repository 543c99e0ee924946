"""Outcome types of replays and of the demo."""

from __future__ import annotations

import msgspec

from ..engine.measurement import Score


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a replay. *difference* is empty if all recorded events were equal."""

    events: int  # events that were equal
    complete: bool  # the recording contains the end of the run
    difference: str = ""


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the demo: its scores, the planted truth of its target, and its replay."""

    name: str
    scores: tuple[Score, ...]
    truth: object
    replay: ReplayResult
