"""Simulated writer: texts of models with a known relation, for comparisons of responses.

A family of models has its own facts and its own habits of layout, both derived from its number. An
answer is first drafted as sentences of words; a word is a meaning and one of its synonyms. The
relation of a model to the first model of the family is a change of this draft:

- a copy writes the same text;
- a paraphrase has some other synonyms, and some sentences change places;
- another model of the family has the same facts and habits in other sentences and words;
- an unrelated model has other facts and other habits.

At a temperature above 0 a few synonyms change with every draw, fewer than in a paraphrase. The
seeds of the random streams hold all arguments, so the same arguments always give the same text.
"""

from __future__ import annotations

import re
from itertools import pairwise
from random import Random
from typing import Literal, NamedTuple, get_args

from .planting import Relation
from .writer_words import CHINESE, ENGLISH, WriterWords

RELATIONS: tuple[Relation, ...] = get_args(Relation)

NOISE = 0.06  # chance of another synonym, for each word and degree of temperature
REWORDED = 0.35  # the same chance in a paraphrase
SWAPPED = 0.4  # chance that a sentence of a paraphrase changes places with the next
STRESSED = 0.02  # chance that a sentence of a paraphrase has a word in bold
DROPPED = 0.4  # chance that one of a family leaves out a section's last fact
STRANGER = 11  # families so far apart differ in every habit

_HAN = re.compile(r"[\u3400-\u9fff]")


class Word(NamedTuple):
    """One meaning of the lexicon, and the synonym in use."""

    meaning: int
    synonym: int


class DraftSentence(NamedTuple):
    """One sentence: a frame, the words for its four slots, and a number."""

    frame: int
    words: tuple[Word, ...]
    number: int
    stressed: bool = False


class Section(NamedTuple):
    """A title and the sentences under it."""

    title: int
    facts: tuple[DraftSentence, ...]


class Voice(NamedTuple):
    """Habits of a family: its layout, and the sentence frames that it uses."""

    title: Literal["none", "heading", "bold"]
    body: Literal["prose", "bullets", "numbered", "table"]
    sections: int
    facts: int  # per section, plus or minus one
    frames: tuple[int, ...]


def write_answer(
    prompt: str,
    *,
    family: int,
    relation: Relation = "copy",
    model: int = 0,
    draw: int = 0,
    temperature: float = 0.0,
) -> str:
    """Return the answer of a model in *relation* to the first model of *family*.

    *model* distinguishes models of one relation, except copies, which all write the same. The
    answer is Chinese if the prompt has a Chinese character, otherwise English.
    """
    lexicon = CHINESE if _HAN.search(prompt) else ENGLISH
    stranger = relation == "unrelated"
    source = f"{family}/unrelated/{model}" if stranger else f"{family}"
    writer = source if relation in {"copy", "unrelated"} else f"{family}/{relation}/{model}"
    voice = _voice(family + STRANGER if stranger else family, len(lexicon.frames))
    draft = _draft(lexicon, voice, Random(f"{source}/draft/{prompt}"))
    match relation:
        case "paraphrase":
            rng = Random(f"{writer}/paraphrase/{prompt}")
            draft = _reworded(_reordered(draft, rng), lexicon, rng, chance=REWORDED)
        case "family":
            rng = Random(f"{writer}/retold/{prompt}")
            draft = _reworded(_retold(draft, lexicon, voice, rng), lexicon, rng, chance=1.0)
    noise = Random(f"{writer}/draw/{draw}/{prompt}")
    draft = _reworded(draft, lexicon, noise, chance=min(1.0, NOISE * temperature))
    return _layout(draft, lexicon, voice, _topic(prompt, lexicon))


def _voice(family: int, frames: int) -> Voice:
    """Return the habits of a family, chosen by remainders of coprime numbers: 60 families differ.

    Of two consecutive families one writes more than twice as much.
    """
    sections, facts = ((2, 3), (4, 4), (3, 2), (3, 5), (6, 6))[family % 5]
    return Voice(
        title=("none", "heading", "bold")[family % 3],
        body=("prose", "bullets", "numbered", "table")[family % 4],
        sections=sections,
        facts=facts,
        frames=tuple(range(family % 2, frames, 2)),
    )


def _topic(prompt: str, lexicon: WriterWords) -> str:
    """Return the longest word of *prompt*, the first one in a tie; all answers contain it."""
    return max(lexicon.topic.findall(prompt.lower()), key=len, default=lexicon.no_topic)


def _draft(lexicon: WriterWords, voice: Voice, rng: Random) -> tuple[Section, ...]:
    def fact() -> DraftSentence:
        words = tuple(_word(kind, rng) for kind in lexicon.words)
        return DraftSentence(rng.choice(voice.frames), words, rng.randrange(3, 98))

    return tuple(
        Section(
            rng.randrange(len(lexicon.titles)),
            tuple(fact() for _ in range(voice.facts + rng.randint(-1, 1))),
        )
        for _ in range(voice.sections)
    )


def _word(kind: tuple[tuple[str, ...], ...], rng: Random) -> Word:
    meaning = rng.randrange(len(kind))
    return Word(meaning, rng.randrange(len(kind[meaning])))


def _reordered(draft: tuple[Section, ...], rng: Random) -> tuple[Section, ...]:
    def reordered(facts: tuple[DraftSentence, ...]) -> tuple[DraftSentence, ...]:
        moved = [fact._replace(stressed=rng.random() < STRESSED) for fact in facts]
        for here, there in pairwise(range(len(moved))):
            if rng.random() < SWAPPED:
                moved[here], moved[there] = moved[there], moved[here]
        return tuple(moved)

    return tuple(section._replace(facts=reordered(section.facts)) for section in draft)


def _reworded(
    draft: tuple[Section, ...], lexicon: WriterWords, rng: Random, *, chance: float
) -> tuple[Section, ...]:
    def other(kind: int, word: Word) -> Word:
        count = len(lexicon.words[kind][word.meaning])
        step = 1 + rng.randrange(count - 1)
        if rng.random() >= chance:
            return word
        return word._replace(synonym=(word.synonym + step) % count)

    def reworded(fact: DraftSentence) -> DraftSentence:
        return fact._replace(words=tuple(other(k, word) for k, word in enumerate(fact.words)))

    return tuple(section._replace(facts=tuple(map(reworded, section.facts))) for section in draft)


def _retold(
    draft: tuple[Section, ...], lexicon: WriterWords, voice: Voice, rng: Random
) -> tuple[Section, ...]:
    def retold(section: Section) -> Section:
        kept = len(section.facts) - (rng.random() < DROPPED)
        facts = tuple(
            fact._replace(frame=rng.choice(voice.frames), stressed=rng.random() < 3 * STRESSED)
            for fact in section.facts[: max(1, kept)]
        )
        return Section(rng.randrange(len(lexicon.titles)), facts)

    return tuple(map(retold, draft))


def _layout(draft: tuple[Section, ...], lexicon: WriterWords, voice: Voice, topic: str) -> str:
    blocks = []
    for section in draft:
        title = lexicon.titles[section.title].format(topic=topic)
        match voice.title:
            case "heading":
                blocks.append(f"## {title}")
            case "bold":
                blocks.append(f"**{title}**")
        sentences = [_sentence(fact, lexicon, topic) for fact in section.facts]
        match voice.body:
            case "prose":
                blocks.append(lexicon.gap.join(sentences))
            case "bullets":
                blocks.append("\n".join(f"- {text}" for text in sentences))
            case "numbered":
                blocks.append("\n".join(f"{n}. {text}" for n, text in enumerate(sentences, 1)))
            case "table":
                rows = [f"| {n} | {text} |" for n, text in enumerate(sentences, 1)]
                blocks.append("\n".join((lexicon.header, "| --- | --- |", *rows)))
    return "\n\n".join(blocks)


def _sentence(fact: DraftSentence, lexicon: WriterWords, topic: str) -> str:
    words = [
        kind[word.meaning][word.synonym]
        for kind, word in zip(lexicon.words, fact.words, strict=True)
    ]
    if fact.stressed:
        words[1] = f"**{words[1]}**"
    text = lexicon.frames[fact.frame].format(*words, topic=topic, number=fact.number)
    return text[0].upper() + text[1:]
