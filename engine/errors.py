"""What can go wrong with a config, a plan, a run directory or a run."""

from __future__ import annotations


class EngineError(Exception):
    """Root of the engine's errors."""


class InputInvalid(EngineError):
    """Something that the user wrote or named is wrong; the message says what and where."""


class ConfigInvalid(InputInvalid):
    """A setting in the config file breaks a rule."""


class FileInvalid(InputInvalid):
    """A file of questions, templates or events cannot be used."""


class RunConflict(InputInvalid):
    """The run directory holds something else than what was asked for."""


class RunStopped(EngineError):
    """The run paused before its end and can be resumed; *cause* is why, in a word."""

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class CallsKeepFailing(EngineError):
    """Every call to one model fails for good: that says something of the set-up, not of probes."""


class PluginBroken(EngineError):
    """A plug-in raised what it may not, or returned what cannot be used: neither ours nor a result.

    What it raised is the cause. A run stops there, and goes on when the plug-in is mended.
    """


class EventsDiffer(EngineError):
    """A recorded event is not what the plan and the cache give."""

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(message)
        self.line = line


class RecordingEnded(EngineError):
    """A replay came to the end of what was recorded."""
