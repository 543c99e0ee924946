"""Layers: verdicts of later judges, or of people, on the answers that a run has recorded.

A layer is one file, layers/NAME.jsonl: a head, then a line for each judged answer, in the order of
the run's probes. It is written whole or not at all. An answer without a line was not judged. In a
layer of labels by people, which may cover a sample only, such an answer is left out of the scores.
In the layer of a judge it is counted as unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Annotated

import msgspec

from ..calls.answers import Judgement
from ..errors import FileInvalid
from ..setup.plan import PlannedJudge, describe_difference

LABELS = "labels"  # the name of the layer with labels by people; no judge may have this name

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_.-]*")  # no capitals: some file systems ignore case


class LayerHead(msgspec.Struct, frozen=True, kw_only=True, tag="layer"):
    """The first line of a layer: its judge, and the digest of the plan of the judged run."""

    judge: PlannedJudge
    plan: str

    def difference(self, judge: PlannedJudge) -> str:
        """Return the first difference between this layer's judge and *judge*, for a message."""
        return describe_difference("judge", self.judge, judge)


class LayerRow(msgspec.Struct, frozen=True, kw_only=True, tag="reread"):
    """The judgement of one answer. *probe* is the number of the probe in the run, from 0."""

    probe: Annotated[int, msgspec.Meta(ge=0)]
    judgement: Judgement


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(LayerHead | LayerRow)


class Layer:
    """One layer in memory: judgements by probe. *where* is the name of its file in messages."""

    def __init__(
        self, head: LayerHead, judgements: dict[int, Judgement], where: str = "the layer"
    ) -> None:
        self.head = head
        self.judgements = judgements
        self.where = where

    @property
    def sampled(self) -> bool:
        """Whether the layer may cover a sample of the answers: true for labels by people."""
        return self.head.judge.name == LABELS

    def require_plan(self, digest: str) -> None:
        """Raise FileInvalid unless the layer belongs to the run whose plan has this *digest*."""
        if self.head.plan != digest:
            raise FileInvalid(f"{self.where} is a layer of another run")

    def require_probes(self, count: int) -> None:
        """Raise FileInvalid, naming the line, for a probe number of *count* or more."""
        for line, probe in enumerate(self.judgements, start=2):  # line 1 is the head
            if probe >= count:
                raise FileInvalid(
                    f"{self.where}:{line}: the run has no probe {probe}, its last is {count - 1}"
                )


def layer_file(name: str) -> str:
    """Return the file name for the layer of the judge *name*, which may contain any characters.

    Two judges never get the same file name: a name that is not plain gets a digest as suffix.
    """
    if _PLAIN.fullmatch(name):
        return f"{name}.jsonl"
    digest = blake2b(name.encode(), digest_size=4).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name).strip('-.')}-{digest}.jsonl"


def reading_file(judge: PlannedJudge) -> str:
    """Return the name of the file with the timings and costs of *judge*'s calls.

    It contains a digest of the whole judge, unlike the name of the layer's file. A user may move a
    layer away and use its name for another judge. The costs of the two are kept apart.
    """
    digest = blake2b(_ENCODER.encode(judge), digest_size=4).hexdigest()
    return f"{layer_file(judge.name).removesuffix('.jsonl')}-{digest}.jsonl"


def encode_layer(head: LayerHead, rows: Iterable[LayerRow]) -> Iterator[bytes]:
    """Yield the lines of a layer's file."""
    yield _ENCODER.encode(head) + b"\n"
    for row in rows:
        yield _ENCODER.encode(row) + b"\n"


def decode_layer(lines: Iterable[bytes], where: str) -> Layer:
    """Return the layer in *lines*. *where* is the name of its file. Raises FileInvalid."""
    head: LayerHead | None = None
    judgements: dict[int, Judgement] = {}
    for number, line in enumerate(lines, start=1):
        try:
            row = _DECODER.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FileInvalid(f"{where}:{number}: not a line of a layer: {error}") from None
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
