"""Measurement type: the functions and types of one kind of measurement, such as ICE or RSE.

A measurement is one value of this type. Its folder (a wing) contains the functions that the value
refers to, and engine/measurements.py lists the values. The rest of the program uses a measurement
only through this type, so it does not change when a measurement is added.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from .errors import FileInvalid, InputInvalid
from .records.events import Event
from .records.tally import NoCounts, UnitCounts

if TYPE_CHECKING:
    from ..strategies.types import Case
    from .calls.caller import ModelCaller
    from .identity.judging import Judging
    from .records.layers import LayerHead, LayerRow
    from .records.recorded_run import RecordedRun
    from .setup.config import Config
    from .setup.models import Role
    from .setup.plan import Plan, PlannedJudge
    from .setup.registry import StrategyRegistry

P = TypeVar("P", bound="Plan")

Emit = Callable[[Sequence[Event]], None]
Say = Callable[[str], None]


class Table(Protocol):
    """The config table of a measurement: a msgspec Struct in which every field has a default."""

    @property
    def targets(self) -> tuple[str, ...]:
        """The models to measure."""
        ...


class Score(Protocol):
    """One line of a result: a msgspec Struct whose field names are the JSON keys."""

    @property
    def run(self) -> str:
        """The name of the run directory."""
        ...

    @property
    def target(self) -> str:
        """The user's name of the model that was measured."""
        ...

    @property
    def kind(self) -> str:
        """The kind of the measurement."""
        ...

    @property
    def flags(self) -> tuple[str, ...]:
        """Warnings about the score that a reader should know before using it."""
        ...


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """The input from which plans are made.

    If *targets* is empty, the targets of the measurement's table are used. Paths in the config are
    relative to *folder*. *say* receives remarks on the input.
    """

    config: Config
    targets: tuple[str, ...]
    folder: Path
    registry: StrategyRegistry
    say: Say


@dataclass(frozen=True, kw_only=True)
class NamedPlan(Generic[P]):
    """A plan, and the name of its run directory if a command makes several runs."""

    name: str
    plan: P


@dataclass(frozen=True, kw_only=True)
class CallEstimate:
    """The calls that one role of a plan makes, each with a prompt of *characters* on average.

    *calls* leaves out calls that earlier plans of the same command make, and *alone* includes them.
    *at_once* is the maximum of calls in flight, None for no maximum. *reply_tokens* is the length
    of a reply if max_tokens is not set.
    """

    calls: int
    characters: float
    reply_tokens: int
    alone: int
    at_once: int | None = None


@dataclass(frozen=True, kw_only=True)
class RescoreItem:
    """An answer for a later judge: the number of its unit, its event, and the case to judge.

    *case* is None if there is no answer to judge. The event has a field ``judgement``.
    """

    number: int
    event: Event
    case: Case | None


@dataclass(frozen=True, kw_only=True)
class Rescoring(Generic[P]):
    """The functions by which another judge reads the answers of a recorded run.

    *own_judge* returns the name of the judge that a plan names. *plan_judge* plans a later one:
    (plan, its name, config, registry, the run for messages). *items* yields the answers.
    """

    own_judge: Callable[[P], str]
    plan_judge: Callable[[P, str, Config, StrategyRegistry, str], PlannedJudge]
    judging: Callable[[P, PlannedJudge, StrategyRegistry], Judging]
    items: Callable[[P, Iterable[Event]], Iterator[RescoreItem]]
    counts: Callable[[P, PlannedJudge], UnitCounts]


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """Transcript files to import as runs, and the user's information about their target.

    *vendor* and *fact* may be empty. *labels* is a file of verdicts, or a folder of NAME.csv files.
    """

    files: tuple[Path, ...]
    names: tuple[str, ...]
    vendor: str
    fact: str
    labels: Path | None


@dataclass(frozen=True, kw_only=True)
class ImportedRun(Generic[P]):
    """A published run, already read and checked, to be written as a run directory."""

    name: str
    plan: P
    events: Callable[[], Iterator[Event]]
    layer: tuple[LayerHead, tuple[LayerRow, ...]] | None
    remarks: tuple[str, ...]  # {run} stands for the run directory


@dataclass(frozen=True, kw_only=True)
class RunsSummary:
    """The combined result of several runs of one command, and the files to write it to."""

    value: object
    files: Mapping[str, str]


def _nothing(*_: object) -> None:
    return None


def _no_words(*_: object) -> str:
    return ""


def _no_lines(*_: object) -> tuple[str, ...]:
    return ()


def _has_targets(table: Table) -> bool:
    return bool(table.targets)


def _no_counts(_: object) -> UnitCounts:
    return NoCounts()


@dataclass(frozen=True, kw_only=True)
class Measurement(Generic[P]):
    """One kind of measurement. A field with a default is optional.

    *table*, *plan* and *events* are types: the config table, the plan, and the union of the event
    types. *run* runs a plan to its end: (plan, caller, emit, registry, workers).
    """

    kind: str  # the kind in plan.json, the name of the config table, the name of the command
    unit: str  # the unit that a run counts, in the plural: "probes"
    help: str  # help of the command: one line, an empty line, the rest
    table: type[Any]
    plan: type[P]
    events: Any
    build_plans: Callable[[PlanRequest], tuple[NamedPlan[P], ...]]
    run: Callable[[P, ModelCaller, Emit, StrategyRegistry, int], Awaitable[None]]
    score: Callable[[RecordedRun[P]], tuple[Score, ...]]
    title: Callable[[P], str]
    estimate: Callable[[P, Role, StrategyRegistry, Sequence[Plan]], CallEstimate]

    default_out: str = ""  # suffix of the default run directory, after the config's name
    check_table: Callable[[Any, str], None] = _nothing  # raises ConfigInvalid; str: the file
    in_use: Callable[[Any], bool] = _has_targets  # whether a config uses the table
    check_plan: Callable[[P, str], None] = _nothing  # raises FileInvalid; str: the file
    difference: Callable[[P, P], str] = _no_words  # (recorded, wanted); "" for the general text
    not_replayable: Callable[[P], str] = _no_words  # why a run of the plan makes no calls, or ""
    counts: Callable[[P], UnitCounts] = _no_counts
    remarks_before: Callable[[P], tuple[str, ...]] = _no_lines
    remarks_after: Callable[[P, str, int], tuple[str, ...]] = _no_lines  # reason, units done
    summarise: Callable[[Sequence[RecordedRun[P]], Sequence[Score]], RunsSummary | None] = _nothing
    truth: Callable[[RecordedRun[P], Config], object] = _nothing  # the planted truth, for the demo
    rescoring: Rescoring[P] | None = None
    read_transcripts: Callable[[ImportRequest], tuple[ImportedRun[P], ...]] | None = None


class Measurements:
    """The closed list of measurements that one program uses.

    Raises InputInvalid when two are of one kind.
    """

    def __init__(self, measurements: Iterable[Measurement[Any]]) -> None:
        self._by_kind: dict[str, Measurement[Any]] = {}
        for measurement in measurements:
            if measurement.kind in self._by_kind:
                raise InputInvalid(f"two measurements are of kind {measurement.kind!r}")
            self._by_kind[measurement.kind] = measurement

    def __iter__(self) -> Iterator[Measurement[Any]]:
        return iter(self._by_kind.values())

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds, in the order of the list."""
        return tuple(self._by_kind)

    def named(self, kind: str, where: str) -> Measurement[Any]:
        """Return the measurement called *kind*. Raises FileInvalid for an unknown kind.

        *where* is the subject of the error message, such as the path of a plan.
        """
        if kind not in self._by_kind:
            raise FileInvalid(
                f"{where} is of kind {kind!r}, which is unknown here; known: "
                f"{', '.join(self._by_kind)}"
            )
        return self._by_kind[kind]

    def of(self, plan: Plan) -> Measurement[Any]:
        """Return the measurement of *plan*."""
        return self.named(plan.kind, "the plan")
