"""One plug-in of each kind for Hydrometer, as small as they can be.

A strategy is a frozen Struct whose fields are its settings; Hydrometer fills them from the config
and writes them, with *version*, into the plan.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import ClassVar

import msgspec

from hydrometer.providers.base import Adapter, AdapterReply
from hydrometer.providers.errors import RequestRejected, SettingsInvalid
from hydrometer.providers.settings import ModelSettings
from hydrometer.providers.types import Request, Response
from hydrometer.strategies.base import Choice, JudgeDialogue
from hydrometer.strategies.search.tree import Tree
from hydrometer.strategies.types import (
    SLOT,
    Case,
    Metric,
    Mutant,
    Rejected,
    TargetFacts,
    Verdict,
)


class Parrot:
    """Says the same to everybody, unless the prompt has a word that makes it talk."""

    def __init__(self, saying: str, whisper: str) -> None:
        self._saying = saying
        self._whisper = whisper

    async def send(self, request: Request) -> AdapterReply:
        """Answer from the last message alone."""
        if request.mode == "embedding":
            raise RequestRejected("a parrot has no embeddings", status=400)
        asked = request.messages[-1].content
        text = self._whisper if "aside" in asked else self._saying
        return AdapterReply(response=Response(text=text))


@asynccontextmanager
async def open_parrot(
    settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
) -> AsyncIterator[Adapter]:
    """``provider = "parrot"``, with ``options = { saying = "...", whisper = "..." }``."""
    saying, whisper = settings.options.get("saying"), settings.options.get("whisper")
    if not isinstance(saying, str) or not isinstance(whisper, str):
        raise SettingsInvalid("options must have saying and whisper, both texts")
    yield Parrot(saying, whisper)


class Newest(msgspec.Struct, frozen=True, kw_only=True):
    """``selector = "newest"``: the template that joined last, or now and then any."""

    version: ClassVar[str] = "newest-1"

    stray: float = 0.1

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        """Return one node of the tree."""
        if rng.random() < self.stray:
            return Choice(path=(rng.randrange(len(tree)),))
        return Choice(path=(len(tree) - 1,))

    def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> float:
        """Return the share of successes."""
        return successes / probes


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """``mutators = ["aside"]``: asks the helper for a remark and puts it behind the template."""

    version: ClassVar[str] = "aside-1"
    parents: ClassVar[int] = 1

    longest: int = 400

    def build_prompt(self, parents: tuple[str, ...]) -> str:
        """Return what to ask the helper."""
        return f"Say one sentence that could follow this text:\n{parents[0]}"

    def build_repair(self, fault: str) -> str:
        """Return what to say about a reply that cannot be used."""
        return f"That was {fault}. One sentence, please."

    def parse(self, reply: str, parents: tuple[str, ...]) -> Mutant | Rejected:
        """Return the template with the remark behind it."""
        remark = reply.strip()
        if not remark or SLOT in remark or len(remark) > self.longest:
            return Rejected(fault="no-remark")
        return Mutant(text=f"{parents[0]}\n(aside, at {len(parents[0])}: {remark})")


@dataclass(frozen=True, kw_only=True)
class Keyword:
    """``judge = "keyword"``: a claim is a word. A dataclass does as well as a Struct."""

    version: ClassVar[str] = "keyword-1"
    metrics: ClassVar[tuple[Metric, ...]] = ("strict",)
    asks_model: ClassVar[bool] = False

    words: dict[str, str]  # what is said -> the vendor that it stands for

    def prepare(self, about: TargetFacts) -> KeywordReader:
        """Return the judge of one target: its own vendor is no claim."""
        foreign = {w: v for w, v in self.words.items() if v in about.strict_vendors}
        return KeywordReader(foreign)


class KeywordReader:
    """Reads responses of one target."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = words

    def read(self, case: Case) -> JudgeDialogue:
        """Return one strict verdict; nobody is asked."""
        yield from ()
        for word, vendor in self._words.items():
            if word in case.response:
                return (Verdict(metric="strict", positive=True, vendor=vendor, quote=word),)
        return (Verdict(metric="strict", positive=False),)
