"""Prompt sets from conversations, with what was odd about them, and samples of prompts.

Only human turns are kept, and as they are: each model gives its own answers in between.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from heapq import heapify, heapreplace
from typing import Literal, get_args

import msgspec

from ...strategies.similarity.similarity_types import PromptSet, PromptTurns
from ..errors import FileInvalid
from ..identity.texts import language_of

MAX_CHARS = 32_000  # of all human turns together: some 8000 tokens of English
HUMAN = ("human", "user")  # speakers, in small letters

Unit = Literal["line", "row"]
What = Literal[
    "empty",
    "no-human-turn",
    "too-long",
    "duplicate",
    "system-turn",
    "model-first",
    "blank-turn",
    "cut",
    "repeated-id",
]
Stratum = tuple[str, str]  # language and stratum

_SYSTEM = ("system", "developer")
_LANGUAGES = {"english": "en", "chinese": "zh"}
_MEANING: dict[What, str] = {
    "empty": "left out, without text",
    "no-human-turn": "left out, without a human turn",
    "too-long": "left out, longer than max_chars = {max_chars}",
    "duplicate": "left out, with the turns of an earlier prompt",
    "system-turn": "taken without the system turn",
    "model-first": "taken without the model's turn before the first human one",
    "blank-turn": "taken without the human turns that have no text",
    "cut": "cut to the first human turns",
    "repeated-id": "with an id that another prompt has too, which was made longer",
}
_EXAMPLES = 5


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What one speaker said."""

    speaker: str
    text: str


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a file; *place* is its number there, and what it doesn't say is empty."""

    place: int
    turns: tuple[Turn, ...]
    id: str = ""
    language: str = ""
    stratum: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows had one oddity, and where the first few of them stand."""

    what: What
    count: int
    places: tuple[int, ...]


class LoadedPrompts(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt set, and what was odd about the *rows* it was read from.

    *unit* is what places number: lines of a text, or rows where a file has no lines. *max_chars*
    is how long a prompt could be.
    """

    prompts: PromptSet
    rows: int
    unit: Unit
    max_chars: int
    findings: tuple[Finding, ...] = ()

    def count(self, what: What) -> int:
        """Return how many rows had one oddity."""
        return sum(finding.count for finding in self.findings if finding.what == what)

    def notes(self) -> tuple[str, ...]:
        """Return one line of text for each finding."""
        return tuple(_note(finding, self.unit, self.max_chars) for finding in self.findings)


def build_prompts(
    conversations: Iterable[Conversation],
    *,
    name: str,
    where: str,
    unit: Unit = "line",
    max_chars: int = MAX_CHARS,
    max_turns: int | None = None,
) -> LoadedPrompts:
    """Return the prompts of *conversations* with what was left out or cut.

    A conversation is cut to its first *max_turns* human turns before its length is looked at.
    Raises FileInvalid when no prompt is left.
    """
    places: dict[What, list[int]] = defaultdict(list)
    found: dict[tuple[str, ...], tuple[int, PromptTurns]] = {}
    speakers: set[str] = set()
    count = 0
    for count, conversation in enumerate(conversations, start=1):  # noqa: B007 (used below)
        place = conversation.place
        speakers.update(turn.speaker for turn in conversation.turns)
        turns = _asked(conversation, max_turns, places)
        if not turns:
            continue
        if sum(map(len, turns)) > max_chars:
            places["too-long"].append(place)
        elif turns in found:
            places["duplicate"].append(place)
        else:
            found[turns] = place, _prompt(conversation, turns)
    prompts = tuple(_distinct(tuple(found.values()), places))
    findings = tuple(
        Finding(what=what, count=len(at), places=tuple(at[:_EXAMPLES]))
        for what in get_args(What)
        if (at := places[what])
    )
    reading = LoadedPrompts(
        prompts=PromptSet(name=name, prompts=prompts),
        rows=count,
        unit=unit,
        max_chars=max_chars,
        findings=findings,
    )
    if not prompts:
        raise FileInvalid(f"{where} holds no prompt{_why_none(reading, speakers)}")
    return reading


def sample(prompts: Sequence[PromptTurns], limit: int | None, seed: int) -> tuple[PromptTurns, ...]:
    """Return *limit* of the *prompts* in their order, in proportion over language and stratum.

    Each cell gives at least one while the limit allows, the largest first. Which prompts are taken
    depends on their texts and the seed, never on their places; and a larger limit only adds.
    Raises ValueError for a limit below 1.
    """
    if limit is None or limit >= len(prompts):
        return tuple(prompts)
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    cells: dict[Stratum, list[int]] = defaultdict(list)
    for number, prompt in enumerate(prompts):
        cells[prompt.language, prompt.stratum].append(number)
    taken: list[int] = []
    for cell, seats in _seats({cell: len(held) for cell, held in cells.items()}, limit, seed):
        drawn = sorted(cells[cell], key=lambda n: (_lot(seed, *prompts[n].turns), prompts[n].id))
        taken += drawn[:seats]
    return tuple(prompts[number] for number in sorted(taken))


def _seats(sizes: Mapping[Stratum, int], limit: int, seed: int) -> Iterator[tuple[Stratum, int]]:
    """Yield how many prompts each cell gives: one each, the others by Webster's divisors.

    Handing them out one by one is what makes a larger sample hold a smaller one.
    """
    order = sorted(sizes, key=lambda cell: (-sizes[cell], _lot(seed, *cell)))
    seats = dict.fromkeys(order[:limit], 1)
    # The next is for the cell with the highest size / (2 seats + 1); ties go to the earlier one.
    # That is below 1/2 for a cell that has given all, and above for every other.
    heap = [(-sizes[cell] / 3, rank, cell) for rank, cell in enumerate(order)]
    heapify(heap)
    for _ in range(limit - len(seats)):
        _, rank, cell = heap[0]
        seats[cell] += 1
        heapreplace(heap, (-sizes[cell] / (2 * seats[cell] + 1), rank, cell))
    yield from seats.items()


def _lot(seed: int, *texts: str) -> bytes:
    """Return the lot that some texts draw; the least lots are taken."""
    return blake2b(msgspec.json.encode((seed, *texts)), digest_size=16).digest()


def _asked(
    conversation: Conversation, max_turns: int | None, places: dict[What, list[int]]
) -> tuple[str, ...]:
    """Return the human turns to ask; what is odd about the conversation goes into *places*."""
    human = [turn.text for turn in conversation.turns if turn.speaker in HUMAN]
    turns = tuple(text for text in human if text.strip())
    if not turns:
        places["empty" if human else "no-human-turn"].append(conversation.place)
        return ()
    spoken = [turn.speaker for turn in conversation.turns if turn.speaker not in _SYSTEM]
    odd: dict[What, bool] = {
        "system-turn": len(spoken) < len(conversation.turns),
        "model-first": spoken[0] not in HUMAN,
        "blank-turn": len(turns) < len(human),
        "cut": max_turns is not None and len(turns) > max_turns,
    }
    for what, found in odd.items():
        if found:
            places[what].append(conversation.place)
    return turns[:max_turns]


def _prompt(conversation: Conversation, turns: tuple[str, ...]) -> PromptTurns:
    language = conversation.language or language_of("\n".join(turns))
    return PromptTurns(
        id=conversation.id or _fingerprint(turns),
        turns=turns,
        language=_LANGUAGES.get(language.lower(), language),
        stratum=conversation.stratum,
    )


def _distinct(
    found: Sequence[tuple[int, PromptTurns]], places: dict[What, list[int]]
) -> Iterator[PromptTurns]:
    """Yield the prompts; an id that several have is made longer in each of them."""
    used = Counter(prompt.id for _, prompt in found)
    for place, prompt in found:
        if used[prompt.id] == 1:
            yield prompt
        else:
            places["repeated-id"].append(place)
            longer = f"{prompt.id}-{_fingerprint(prompt.turns)}"
            yield msgspec.structs.replace(prompt, id=longer)


def _fingerprint(turns: tuple[str, ...]) -> str:
    return _lot(0, *turns).hex()[:16]


def _why_none(reading: LoadedPrompts, speakers: set[str]) -> str:
    said = list(reading.notes())
    if reading.count("no-human-turn"):
        heard = ", ".join(repr(name[:20]) for name in sorted(speakers)[:_EXAMPLES]) or "none"
        said.append(f"speakers found: {heard}; needs {' or '.join(HUMAN)}")
    return f": {'; '.join(said)}" if said else ""


def _note(finding: Finding, unit: Unit, max_chars: int) -> str:
    s = "" if finding.count == 1 else "s"
    more = ", ..." if finding.count > len(finding.places) else ""
    at = ", ".join(map(str, finding.places))
    meaning = _MEANING[finding.what].format(max_chars=max_chars)
    return f"{finding.count} row{s} {meaning} ({unit}{s} {at}{more})"
