"""Wrapper around a measurement that is not built in: its errors name it, its values are checked.

The errors of this package pass through unchanged: a function of a measurement calls functions of
this package, which raise them to pause or end a run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from inspect import isawaitable
from typing import Any

import msgspec

from ...cache.errors import CacheError
from ...engine.calls.caller import ModelCaller
from ...engine.errors import EngineError
from ...engine.measurement import (
    CallEstimate,
    Emit,
    Measurement,
    NamedPlan,
    RescoreItem,
    Rescoring,
    RunsSummary,
)
from ...engine.records.events import Event
from ...engine.records.recorded_run import RecordedRun
from ...engine.records.tally import UnitCounts
from ...engine.setup.models import PlannedModel
from ...engine.setup.plan import PLAN_VERSION
from ...engine.setup.plugin_checks import Plugin, PluginFault, check_kept, excerpt
from ...engine.setup.registry import StrategyRegistry
from ...providers.errors import ProviderError

_OWN_ERRORS = (EngineError, ProviderError, CacheError, OSError)

Check = Callable[[Any], None]


def checked(inner: Measurement[Any]) -> Measurement[Any]:
    """Return *inner* with checks on everything that its functions raise and return.

    Raises PluginBroken, when they are called, for a fault of a function.
    """
    plugin = Plugin(noun="measurement", name=inner.kind)

    def wrap(name: str, check: Check = _accept) -> Callable[..., Any]:
        return _wrap(plugin, name, getattr(inner, name), check)

    def check_plans(plans: object) -> None:
        _check_plans(plans, inner)

    return replace(
        inner,
        build_plans=wrap("build_plans", check_plans),
        run=_Run(plugin, inner),
        score=_Score(plugin, inner),
        title=wrap("title", _check_text),
        estimate=wrap("estimate", _check_estimate),
        check_table=wrap("check_table"),
        in_use=wrap("in_use"),
        check_plan=wrap("check_plan"),
        difference=wrap("difference", _check_text),
        not_replayable=wrap("not_replayable", _check_text),
        counts=_checked_counts(plugin, inner.counts),
        remarks_before=wrap("remarks_before", _check_remarks),
        remarks_after=wrap("remarks_after", _check_remarks),
        summarise=wrap("summarise", _check_summary),
        truth=wrap("truth"),
        rescoring=inner.rescoring and _checked_rescoring(plugin, inner.rescoring),
        read_transcripts=inner.read_transcripts and wrap("read_transcripts"),
    )


def _wrap(
    plugin: Plugin, name: str, function: Callable[..., Any], check: Check
) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        with plugin.calling(name, may_raise=_OWN_ERRORS):
            found = function(*args)
            check(found)
        return found

    return call


class _Run:
    """The function `run` of a measurement. What it emits must survive writing and reading."""

    def __init__(self, plugin: Plugin, inner: Measurement[Any]) -> None:
        self._plugin = plugin
        self._inner = inner

    async def __call__(
        self,
        plan: Any,
        caller: ModelCaller,
        emit: Emit,
        registry: StrategyRegistry,
        workers: int,
    ) -> None:
        def checked_emit(batch: Sequence[Event]) -> None:
            for event in batch if isinstance(batch, tuple | list) else ():
                if isinstance(event, Event):
                    check_kept(event, type(event), verb="emitted")
            emit(batch)

        with self._plugin.calling("run", may_raise=_OWN_ERRORS):
            running: object = self._inner.run(plan, caller, checked_emit, registry, workers)
            if not isawaitable(running):
                raise PluginFault(f"returned {excerpt(running)}, so it is no async function")
            try:
                await running
            except ExceptionGroup as group:  # of a task group of the measurement
                raise _first_error(group) from group.__cause__


def _first_error(group: ExceptionGroup[Exception]) -> Exception:
    """Return an error of this package in *group*, else its first error."""
    own, others = group.split(_OWN_ERRORS)
    found: Exception = own or others or group
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    return found


class _Score:
    """The function `score` of a measurement. Its scores must have the fields of every score."""

    def __init__(self, plugin: Plugin, inner: Measurement[Any]) -> None:
        self._plugin = plugin
        self._inner = inner

    def __call__(self, recorded: RecordedRun[Any]) -> Any:
        with self._plugin.calling("score", may_raise=_OWN_ERRORS):
            scores: object = self._inner.score(recorded)
            if not isinstance(scores, tuple):
                raise PluginFault(f"returned {excerpt(scores)}, not a tuple of scores")
            for score in scores:
                _check_score(score, {"run": recorded.name, "kind": self._inner.kind})
        return scores


def _check_score(score: object, expected: Mapping[str, str]) -> None:
    if not isinstance(score, msgspec.Struct):
        raise PluginFault(f"returned {excerpt(score)}, not a msgspec Struct")
    for name in ("run", "target", "kind", "flags"):
        if name not in score.__struct_fields__:
            raise PluginFault(f"returned {type(score).__name__}, which has no field {name}")
    for name, value in expected.items():
        if (found := getattr(score, name)) != value:
            raise PluginFault(f"returned a score in which {name} is {excerpt(found)}, not {value}")
    check_kept(score.target, str)  # type: ignore[attr-defined]
    check_kept(score.flags, tuple[str, ...])  # type: ignore[attr-defined]
    msgspec.json.encode(score)


def _check_plans(plans: object, inner: Measurement[Any]) -> None:
    if not isinstance(plans, tuple):
        raise PluginFault(f"returned {excerpt(plans)}, not a tuple of NamedPlan")
    for named in plans:
        if not isinstance(named, NamedPlan) or not isinstance(named.name, str):
            raise PluginFault(f"returned {excerpt(named)}, not a NamedPlan with a name")
        plan = named.plan
        if not isinstance(plan, inner.plan):
            raise PluginFault(f"returned {excerpt(plan)}, not a {inner.plan.__name__}")
        check_kept(plan, inner.plan)
        for name, value in (("version", PLAN_VERSION), ("kind", inner.kind)):
            if (found := getattr(plan, name)) != value:
                raise PluginFault(f"returned a plan in which {name} is {found!r}, not {value!r}")
        _check_roles(plan.models)
        if type(plan.size) is not int or plan.size < 0:
            raise PluginFault(f"returned a plan in which size is {excerpt(plan.size)}, not a count")


def _check_roles(models: object) -> None:
    if not isinstance(models, Mapping):
        raise PluginFault(f"returned a plan in which models is {excerpt(models)}, not a mapping")
    for role, model in models.items():
        if not isinstance(role, str) or not isinstance(model, PlannedModel):
            raise PluginFault(
                f"returned a plan in which models[{role!r}] is {excerpt(model)}, not a PlannedModel"
            )


def _accept(found: object) -> None:
    """Accept any value."""


def _check_text(found: object) -> None:
    check_kept(found, str)


def _check_remarks(found: object) -> None:
    check_kept(found, tuple[str, ...])


def _check_estimate(found: object) -> None:
    if not isinstance(found, CallEstimate):
        raise PluginFault(f"returned {excerpt(found)}, not a CallEstimate")
    check_kept(found, CallEstimate)


def _check_summary(found: object) -> None:
    if not isinstance(found, RunsSummary | None):
        raise PluginFault(f"returned {excerpt(found)}, neither a RunsSummary nor None")


class _CheckedCounts:
    """The counts of one run. The attributes are read after each event."""

    units: int
    states: Counter[str]

    def __init__(self, plugin: Plugin, inner: UnitCounts) -> None:
        self._plugin = plugin
        self._inner = inner
        self._read()

    def add(self, event: Event) -> None:
        """Count one event."""
        with self._plugin.calling("counts", may_raise=_OWN_ERRORS):
            self._inner.add(event)
            self._read()

    def headline(self) -> str:
        """Return the result so far, in a few words."""
        with self._plugin.calling("counts", may_raise=_OWN_ERRORS):
            headline = self._inner.headline()
            _check_text(headline)
        return headline

    def _read(self) -> None:
        self.units, self.states = self._inner.units, self._inner.states
        if type(self.units) is not int or not isinstance(self.states, Counter):
            raise PluginFault(
                f"has units {excerpt(self.units)} and states {excerpt(self.states)}, not an int "
                "and a Counter"
            )


def _checked_counts(
    plugin: Plugin, counts: Callable[[Any], UnitCounts]
) -> Callable[[Any], UnitCounts]:
    def call(plan: Any) -> UnitCounts:
        with plugin.calling("counts", may_raise=_OWN_ERRORS):
            found = _CheckedCounts(plugin, counts(plan))
            found.headline()
        return found

    return call


def _checked_rescoring(plugin: Plugin, inner: Rescoring[Any]) -> Rescoring[Any]:
    def items(plan: Any, events: Iterable[Event]) -> Iterator[RescoreItem]:
        with plugin.calling("rescoring.items", may_raise=_OWN_ERRORS):
            for item in inner.items(plan, events):
                if not isinstance(item, RescoreItem):
                    raise PluginFault(f"yielded {excerpt(item)}, not a RescoreItem")
                yield item

    def wrap(name: str) -> Callable[..., Any]:
        return _wrap(plugin, f"rescoring.{name}", getattr(inner, name), _accept)

    def counts(plan: Any, judge: Any) -> UnitCounts:
        return _checked_counts(plugin, lambda _: inner.counts(plan, judge))(plan)

    return replace(
        inner,
        own_judge=wrap("own_judge"),
        plan_judge=wrap("plan_judge"),
        judging=wrap("judging"),
        items=items,
        counts=counts,
    )
