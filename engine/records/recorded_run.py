"""Recorded run: a run directory, decoded with the types of its measurement."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import msgspec

from ..calls.answers import CallFailed
from ..errors import FileInvalid
from ..setup.plan import Plan, PlannedJudge, decode_plan, plan_digest
from .events import Event
from .layers import Layer
from .run_directory import EVENTS, RunDirectory, Status
from .timings import changed_models

if TYPE_CHECKING:
    from ..measurement import Measurement, Measurements

P = TypeVar("P", bound=Plan)


class RecordedRun(Generic[P]):
    """A run on disk. The plan is read in ``__init__``, events and layers on each call.

    Raises FileInvalid if there is no run, or if its kind is not among *measurements*.
    """

    def __init__(self, path: Path, measurements: Measurements) -> None:
        self.path = path
        self.directory = RunDirectory(path)
        self.plan = cast(P, decode_plan(*self.directory.read_plan_text(), measurements))
        self.measurement: Measurement[Any] = measurements.of(self.plan)

    @property
    def name(self) -> str:
        """The name of the run directory, which is the name of the run in scores."""
        return self.path.resolve().name

    @property
    def status(self) -> Status:
        """The state of the run."""
        return self.directory.read_status()

    @cached_property
    def finished(self) -> bool:
        """Whether the recording ends with a Finished event."""
        return self.directory.finished()

    def events(self) -> Iterator[Event]:
        """Yield every recorded event. Raises FileInvalid, naming the line, for a damaged event."""
        decoder = msgspec.json.Decoder(self.measurement.events)
        for number, line in enumerate(self.directory.read_lines(), start=1):
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise FileInvalid(f"{self.path / EVENTS}:{number}: not an event: {error}") from None

    def failures(self) -> dict[str, CallFailed]:
        """Return the calls that failed for good, by key. A replay gets these from the events."""
        return {failure.key: failure for event in self.events() for failure in event.failures}

    def layers(self) -> dict[str, Layer]:
        """Return the layers by judge. Raises FileInvalid for a layer of another run."""
        digest = plan_digest(self.plan)
        layers = {layer.head.judge.name: layer for layer in self.directory.read_layers()}
        for layer in layers.values():
            layer.require_plan(digest)
        return layers

    def changed_models(self, judge: PlannedJudge | None = None) -> Collection[str]:
        """Return the models that answered under more than one model id, by the user's names.

        With *judge*, only the calls of that later judge are counted, else those of the run.
        """
        return changed_models(self.path, judge).keys()
