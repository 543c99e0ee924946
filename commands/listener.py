"""Listener: the interface through which a command reports remarks and progress."""

from __future__ import annotations

from typing import Protocol

from ..engine.records.tally import RunProgress


class Listener(Protocol):
    """Receives remarks, and every run that begins. Must not block."""

    def say(self, remark: str) -> None:
        """Receive a remark, such as a repaired file or a run that ended early."""
        ...

    def begins(self, progress: RunProgress) -> None:
        """Receive a run that begins. Its tally is updated from now on."""
        ...


class SilentListener:
    """Ignores everything."""

    def say(self, remark: str) -> None:
        """Ignore *remark*."""

    def begins(self, progress: RunProgress) -> None:
        """Ignore *progress*."""
