"""Verdicts of later judges, and of people, on the answers that a run already has.

A layer is one file, layers/NAME.jsonl: a head, then a line for each answer that was read, in the
order of the run's probes. It is written whole or not at all. An answer without a line was not
judged by this layer: of people's labels, which may be a sample, it does not enter the scores, of a
judge's it is counted as unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Annotated

import msgspec

from ...strategies.types import ProbeRow
from ..errors import FileInvalid
from ..ice.ice_events import Answer, Event, Judgement, Probed
from ..ice.ice_fold import probe_row
from ..setup.plan import PlannedJudge

LABELS = "labels"  # the name of what people said; no judge may be called so

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_.-]*")  # capitals are not: a disk may not tell them apart


class LayerHead(msgspec.Struct, frozen=True, kw_only=True, tag="layer"):
    """Who judged, and the digest of the plan of the run that was read."""

    judge: PlannedJudge
    plan: str


class LayerRow(msgspec.Struct, frozen=True, kw_only=True, tag="reread"):
    """The judgement of one answer; *probe* counts the run's probes from 0."""

    probe: Annotated[int, msgspec.Meta(ge=0)]
    judgement: Judgement


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(LayerHead | LayerRow)


class Layer:
    """One layer, read into memory: judgements by probe; *where* names its file in errors."""

    def __init__(
        self, head: LayerHead, judgements: dict[int, Judgement], where: str = "the layer"
    ) -> None:
        self.head = head
        self.judgements = judgements
        self.where = where

    @property
    def sampled(self) -> bool:
        """Whether it may leave answers out on purpose: people label as many as they like."""
        return self.head.judge.name == LABELS

    def require_plan(self, digest: str) -> None:
        """Raise FileInvalid unless it was made of the run whose plan has this *digest*."""
        if self.head.plan != digest:
            raise FileInvalid(f"{self.where} is a layer of another run")

    def require_probes(self, count: int) -> None:
        """Raise FileInvalid, naming the line, for a probe that a run of *count* does not have."""
        for line, probe in enumerate(self.judgements, start=2):  # after the head, a line each
            if probe >= count:
                raise FileInvalid(
                    f"{self.where}:{line}: the run has no probe {probe}, its last is {count - 1}"
                )


def layer_file(name: str) -> str:
    """Return the file name of the layer of the judge called *name*, which may have any characters.

    Two judges never share one: a name that is not plain is told apart by a digest.
    """
    if _PLAIN.fullmatch(name):
        return f"{name}.jsonl"
    digest = blake2b(name.encode(), digest_size=4).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name).strip('-.')}-{digest}.jsonl"


def reading_file(judge: PlannedJudge) -> str:
    """Return the file name of what *judge*'s readings took and spent.

    It is not the layer's: that name passes to another judge when a layer is moved away.
    """
    digest = blake2b(_ENCODER.encode(judge), digest_size=4).hexdigest()
    return f"{layer_file(judge.name).removesuffix('.jsonl')}-{digest}.jsonl"


def encode_layer(head: LayerHead, rows: Iterable[LayerRow]) -> Iterator[bytes]:
    """Yield the lines of a layer's file."""
    yield _ENCODER.encode(head) + b"\n"
    for row in rows:
        yield _ENCODER.encode(row) + b"\n"


def decode_layer(lines: Iterable[bytes], where: str) -> Layer:
    """Return the layer in *lines*; *where* names its file. Raises FileInvalid."""
    head: LayerHead | None = None
    judgements: dict[int, Judgement] = {}
    for number, line in enumerate(lines, start=1):
        try:
            row = _DECODER.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FileInvalid(f"{where}:{number}: no line of a layer: {error}") from None
        if isinstance(row, LayerHead) != (number == 1):
            raise FileInvalid(f"{where}:{number}: a layer has one head, on its first line")
        if isinstance(row, LayerHead):
            head = row
        elif row.probe in judgements:
            raise FileInvalid(f"{where}:{number}: probe {row.probe} was judged on a line before")
        else:
            judgements[row.probe] = row.judgement
    if head is None:
        raise FileInvalid(f"{where} is empty")
    return Layer(head, judgements, where)


def fold_layer(events: Iterable[Event], layer: Layer) -> Iterator[ProbeRow]:
    """Yield a row for each probe, but for answers that people did not label.

    Raises FileInvalid at the end for a verdict on a probe that is not among *events*.
    """
    count = 0
    for event in events:
        if isinstance(event, Probed):
            judgement = layer.judgements.get(count)
            count += 1
            if not readable(event):
                yield probe_row(event, Judgement())
            elif judgement is not None:
                yield probe_row(event, judgement)
            elif not layer.sampled:
                yield ProbeRow(template=event.template, question=event.question, state="unread")
    layer.require_probes(count)


def readable(event: Probed) -> bool:
    """Return whether there is an answer that a judge could read."""
    outcome = event.outcome
    return isinstance(outcome, Answer) and not outcome.refused and not outcome.truncated
