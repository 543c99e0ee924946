"""Prompt sets: built from conversations, with findings on skipped or changed rows, and sampled.

Only the human turns of a conversation are kept, unchanged. When they are sent, each model gives its
own answers in between.
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
from ..setup.languages import language_of

MAX_CHARS = 32_000  # characters of all human turns together: about 8000 tokens of English
HUMAN = ("human", "user")  # names of the human speaker, in lower case

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
_EXAMPLES = 5  # places or speakers in a message


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a conversation: a speaker and a text."""

    speaker: str
    text: str


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a file. *place* is its number in the file. Fields that the row lacks are empty."""

    place: int
    turns: tuple[Turn, ...]
    id: str = ""
    language: str = ""
    stratum: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of irregularity: the number of rows that have it, and the first of their places."""

    what: What
    count: int
    places: tuple[int, ...]


class LoadedPrompts(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt set, and findings on the rows that it was read from.

    *rows* is the number of those rows. *unit* says what a place counts: lines of a text file, or
    rows of a file without lines. *max_chars* was the maximum length of a prompt.
    """

    prompts: PromptSet
    rows: int
    unit: Unit
    max_chars: int
    findings: tuple[Finding, ...] = ()

    def count(self, what: What) -> int:
        """Return the number of rows with one kind of irregularity."""
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
    """Return the prompts of *conversations*, with findings on rows that were left out or changed.

    A conversation is cut to its first *max_turns* human turns before its length is checked. Raises
    FileInvalid if no prompt is left.
    """
    places: dict[What, list[int]] = defaultdict(list)
    found: dict[tuple[str, ...], tuple[int, PromptTurns]] = {}
    speakers: set[str] = set()
    count = 0
    for count, conversation in enumerate(conversations, start=1):  # noqa: B007 (used below)
        place = conversation.place
        speakers.update(turn.speaker for turn in conversation.turns)
        turns = _human_turns(conversation, max_turns, places)
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
    loaded = LoadedPrompts(
        prompts=PromptSet(name=name, prompts=prompts),
        rows=count,
        unit=unit,
        max_chars=max_chars,
        findings=findings,
    )
    if not prompts:
        raise FileInvalid(f"{where} holds no prompt{_explain_empty(loaded, speakers)}")
    return loaded


def sample(prompts: Sequence[PromptTurns], limit: int | None, seed: int) -> tuple[PromptTurns, ...]:
    """Return a stratified sample of *limit* prompts, in the order of *prompts*.

    The strata are the combinations of language and stratum, and the sample is proportional to their
    sizes. As far as *limit* allows, each of them gives at least one prompt, the largest first.
    The choice depends on the texts and the seed, but not on the places. A sample with a larger
    limit contains the sample with a smaller limit. Raises ValueError for a limit below 1.
    """
    if limit is None or limit >= len(prompts):
        return tuple(prompts)
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    strata: dict[Stratum, list[int]] = defaultdict(list)
    for number, prompt in enumerate(prompts):
        strata[prompt.language, prompt.stratum].append(number)
    sizes = {stratum: len(numbers) for stratum, numbers in strata.items()}
    sampled: list[int] = []
    for stratum, seats in _seats(sizes, limit, seed):
        shuffled = sorted(
            strata[stratum], key=lambda n: (_random_key(seed, *prompts[n].turns), prompts[n].id)
        )
        sampled += shuffled[:seats]
    return tuple(prompts[number] for number in sorted(sampled))


def _seats(sizes: Mapping[Stratum, int], limit: int, seed: int) -> Iterator[tuple[Stratum, int]]:
    """Yield how many prompts each stratum gives: first one each, then by the Webster method.

    The Webster method assigns seats one by one, so a larger sample contains a smaller one.
    """
    order = sorted(sizes, key=lambda stratum: (-sizes[stratum], _random_key(seed, *stratum)))
    seats = dict.fromkeys(order[:limit], 1)
    # The next seat goes to the stratum with the highest size / (2 seats + 1). Ties go to the
    # earlier one. The quotient is below 1/2 for a stratum that has given all its prompts, and above
    # 1/2 for the others. So no stratum gives more prompts than it has.
    heap = [(-sizes[stratum] / 3, rank, stratum) for rank, stratum in enumerate(order)]
    heapify(heap)
    for _ in range(limit - len(seats)):
        _, rank, stratum = heap[0]
        seats[stratum] += 1
        heapreplace(heap, (-sizes[stratum] / (2 * seats[stratum] + 1), rank, stratum))
    yield from seats.items()


def _random_key(seed: int, *texts: str) -> bytes:
    """Return a pseudo-random sort key for *texts*, the same on every machine."""
    return blake2b(msgspec.json.encode((seed, *texts)), digest_size=16).digest()


def _human_turns(
    conversation: Conversation, max_turns: int | None, places: dict[What, list[int]]
) -> tuple[str, ...]:
    """Return the human turns to send. Irregularities of the conversation are added to *places*."""
    human = [turn.text for turn in conversation.turns if turn.speaker in HUMAN]
    turns = tuple(text for text in human if text.strip())
    if not turns:
        places["empty" if human else "no-human-turn"].append(conversation.place)
        return ()
    spoken = [turn.speaker for turn in conversation.turns if turn.speaker not in _SYSTEM]
    irregular: dict[What, bool] = {
        "system-turn": len(spoken) < len(conversation.turns),
        "model-first": spoken[0] not in HUMAN,
        "blank-turn": len(turns) < len(human),
        "cut": max_turns is not None and len(turns) > max_turns,
    }
    for what, found in irregular.items():
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
    """Yield the prompts. If several prompts have the same id, each gets a suffix from its text."""
    used = Counter(prompt.id for _, prompt in found)
    for place, prompt in found:
        if used[prompt.id] == 1:
            yield prompt
        else:
            places["repeated-id"].append(place)
            longer = f"{prompt.id}-{_fingerprint(prompt.turns)}"
            yield msgspec.structs.replace(prompt, id=longer)


def _fingerprint(turns: tuple[str, ...]) -> str:
    return _random_key(0, *turns).hex()[:16]


def _explain_empty(loaded: LoadedPrompts, speakers: set[str]) -> str:
    """Return the end of the message for a file without a usable prompt."""
    notes = list(loaded.notes())
    if loaded.count("no-human-turn"):
        found = ", ".join(repr(name[:20]) for name in sorted(speakers)[:_EXAMPLES]) or "none"
        notes.append(f"speakers found: {found}; needs {' or '.join(HUMAN)}")
    return f": {'; '.join(notes)}" if notes else ""


def _note(finding: Finding, unit: Unit, max_chars: int) -> str:
    s = "" if finding.count == 1 else "s"
    more = ", ..." if finding.count > len(finding.places) else ""
    at = ", ".join(map(str, finding.places))
    meaning = _MEANING[finding.what].format(max_chars=max_chars)
    return f"{finding.count} row{s} {meaning} ({unit}{s} {at}{more})"
