"""Adapter for simulated models: targets, helpers, judges and writers with known behaviour."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from zlib import crc32

import anyio.lowlevel
import msgspec

from ..base import AdapterReply
from ..settings import ModelSettings
from ..types import Request, Response, Usage
from .planting import Planting, planting_of
from .simulated_helper import helper_text
from .simulated_judge import judge_text
from .simulated_target import planted_claim, planted_rate, target_text
from .simulated_writer import write_answer

__all__ = ["SimulatedAdapter", "answer", "open_simulated", "planted_claim", "planted_rate"]

_EMBEDDING_SLOTS = 128


class SimulatedAdapter:
    """A model that behaves as its *planting* says. The model's name decides its role.

    "sim-helper..." rewrites templates, "sim-judge..." judges responses, "sim-writer..." answers any
    prompt, and any other name is a target.
    """

    def __init__(self, model: str, planting: Planting) -> None:
        self._model = model
        self._planting = planting

    async def send(self, request: Request) -> AdapterReply:
        """Return the answer to *request*, always the same."""
        await anyio.lowlevel.checkpoint()
        return AdapterReply(response=answer(request, self._model, self._planting))


@asynccontextmanager
async def open_simulated(
    settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
) -> AsyncIterator[SimulatedAdapter]:
    """Open a simulated model. It needs neither key nor headers."""
    yield SimulatedAdapter(settings.model, planting_of(settings))


def answer(request: Request, model: str, planting: Planting) -> Response:
    """Return the answer of *model*: a pure function of mode, messages, planting and draw.

    The draw matters only if the temperature is above 0. No other sampling setting has an effect.
    """
    if request.mode == "embedding":
        text = embedding_text(request)
    elif model.startswith("sim-helper"):
        text = helper_text(request, model, planting)
    elif model.startswith("sim-judge"):
        text = judge_text(request, model, planting)
    elif model.startswith("sim-writer"):
        text = writer_text(request, planting)
    else:
        text = target_text(request, model, planting)
    asked = sum(len(message.content) for message in request.messages)
    usage = Usage(input_tokens=_tokens(asked), output_tokens=_tokens(len(text)))
    return Response(text=text, usage=usage, model=model)


def writer_text(request: Request, planting: Planting) -> str:
    """Return a writer's answer to a whole conversation."""
    temperature = request.sampling.temperature or 0.0
    return write_answer(
        "\n".join(message.content for message in request.messages if message.role == "user"),
        family=planting.family,
        relation=planting.relation,
        model=planting.seed,
        draw=request.draw if temperature > 0.0 else 0,
        temperature=temperature,
    )


def embedding_text(request: Request) -> str:
    """Return a simulated embedding: counts of character trigrams by hash slot."""
    text = request.messages[-1].content
    slots = [0.0] * _EMBEDDING_SLOTS
    for start in range(len(text) - 2):
        slots[crc32(text[start : start + 3].encode()) % _EMBEDDING_SLOTS] += 1.0
    return msgspec.json.encode(slots).decode()


def _tokens(characters: int) -> int:
    return -(-characters // 4)
