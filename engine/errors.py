"""Errors of configs, plans, run directories and runs."""

from __future__ import annotations


class EngineError(Exception):
    """Root of the engine's errors."""


class InputInvalid(EngineError):
    """A config, file, name or option from the user is wrong. The message says what and where."""


class ConfigInvalid(InputInvalid):
    """A setting in the config file breaks a rule."""


class FileInvalid(InputInvalid):
    """A file of questions, templates or events cannot be used."""


class RunConflict(InputInvalid):
    """The run directory does not fit the command, for example because it holds another run."""


class RunStopped(EngineError):
    """The run paused before its end and can be resumed. *cause* is the reason in one word."""

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class CallsKeepFailing(EngineError):
    """Many calls in a row to one model failed for good: the set-up is at fault, not the probes."""


class PluginBroken(EngineError):
    """A plug-in raised an unexpected error, or returned a value that cannot be used.

    The error that it raised is the ``__cause__``. The run stops there, and can be resumed once the
    plug-in is repaired.
    """


class EventsDiffer(EngineError):
    """A recorded event differs from the event that the plan and the cache give."""

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(message)
        self.line = line


class RecordingEnded(EngineError):
    """A replay reached the end of the recording, although the run was not finished there."""
