"""Simulated helper: rewrites templates, keeps or drops their cues, and errs at a planted rate.

A reply consists of pieces: sentences with the white space behind them. A task selects and varies
pieces. Then `_enforce` makes sure that the result has one slot, every kept cue, no other cue and a
bounded length. Its steps have this order because each can break only what a later one restores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod

import msgspec

from ..types import Request
from .draws import SLOT, Dice, blocks_of, contains_any, dice_for, is_chinese, task_of
from .helper_words import CHINESE, ENGLISH, Words
from .planting import Planting

MAX_CHARS = 1900

_NO_TASK = "Please name a task in the first line and give me a template."
_PIECE_ENDS = (". ", "! ", "? ", "。", "！", "？", "\n")
_CUT = "\x00"
_SWAPS_TRIED = 24


class _Work(msgspec.Struct, frozen=True, kw_only=True):
    """The task of one request, and the random decisions about it."""

    dice: Dice
    words: Words
    templates: tuple[str, ...]
    keep: tuple[str, ...]  # the first parent's cues, in lower case; empty if they are dropped
    avoid: tuple[str, ...]  # every other cue

    def is_loose(self, piece: str) -> bool:
        """Return whether *piece* may be dropped: it has neither the slot nor a cue to keep."""
        return SLOT not in piece and not contains_any(piece, self.keep)


def helper_text(request: Request, model: str, planting: Planting) -> str:
    """Return a helper's reply to a mutation prompt."""
    task, prompt = task_of(request)
    templates = tuple(text for text in blocks_of(prompt, "template") if text.count(SLOT) == 1)
    if not templates:
        return _NO_TASK
    work = _work(dice_for(request, model, planting), templates, planting)
    match task:
        case "similar":
            body = _enforce(work, _similar(work))
        case "crossover":
            body = _enforce(work, _crossover(work))
        case "expand":
            body = _without_cues(_opening(work, most=3), work.avoid)
        case "shorten":
            body = _enforce(work, _shorten(work))
        case "rephrase" | "refine":
            body = _enforce(work, _rephrase(work))
        case _:
            return _NO_TASK
    tag = "opening" if task == "expand" else "template"
    if work.dice.uniform("error") < planting.error:
        return _broken(work, tag, body)
    return _block(tag, body)


def _work(dice: Dice, templates: tuple[str, ...], planting: Planting) -> _Work:
    parent = templates[0]
    cues = [cue.lower() for cue in planting.traits if cue]
    keep = tuple(cue for cue in cues if contains_any(parent, (cue,)))
    if dice.uniform("forget") < planting.forget:
        keep = ()
    return _Work(
        dice=dice,
        words=CHINESE if is_chinese(parent) else ENGLISH,
        templates=templates,
        keep=keep,
        avoid=tuple(cue for cue in cues if cue not in keep),
    )


def _similar(work: _Work) -> list[str]:
    mentions = [_mention(work, cue) for cue in work.keep]
    opening = [_opening(work, most=2)]
    first = mentions + opening if work.dice.uniform("order") < 0.5 else opening + mentions
    return [*first, _slot_line(work), _remark(work, "closing")]


def _crossover(work: _Work) -> list[str]:
    first, second = _pieces(work.templates[0]), _pieces(work.templates[-1])
    head, tail = first[: (len(first) + 1) // 2], second[len(second) // 2 :]
    return _reworded(work, [*head, _opening(work, most=1), *tail])


def _shorten(work: _Work) -> list[str]:
    pieces = _pieces(work.templates[0])
    loose = [number for number, piece in enumerate(pieces) if work.is_loose(piece)]
    gone = {number for number in loose if work.dice.uniform(f"drop {number}") < 0.5}
    if loose:
        gone.add(loose[work.dice.below("drop", len(loose))])
    rest = [piece for number, piece in enumerate(pieces) if number not in gone]
    return [_tag(work), *_reworded(work, rest)]


def _rephrase(work: _Work) -> list[str]:
    pieces = _pieces(work.templates[0])
    loose = [number for number, piece in enumerate(pieces) if work.is_loose(piece)]
    if len(loose) > 3:  # otherwise each rephrasing would be longer than its parent
        del pieces[loose[work.dice.below("drop", len(loose))]]
    slot = next((number for number, piece in enumerate(pieces) if SLOT in piece), len(pieces))
    turn = work.dice.below("turn", slot + 1)  # pieces before the slot may change places
    moved = pieces[turn:slot] + pieces[:turn] + pieces[slot:]
    return [_opening(work, most=1), *_reworded(work, moved)]


def _pieces(text: str) -> list[str]:
    for end in _PIECE_ENDS:
        text = text.replace(end, end + _CUT)
    pieces: list[str] = []
    for piece in text.split(_CUT):
        if pieces and not any(map(str.isalnum, piece)):
            pieces[-1] += piece  # a closing quotation mark or an empty line
        else:
            pieces.append(piece)
    return pieces


def _reworded(work: _Work, pieces: list[str]) -> list[str]:
    """Replace words in up to three pieces, but in none with a cue to keep."""
    swaps = work.words.swaps
    start = work.dice.below("swap", len(swaps))
    whole, done, left = "".join(pieces), list(pieces), 3
    for step in range(_SWAPS_TRIED):
        old, new = swaps[
            (start + 7 * step) % len(swaps)
        ]  # neighbouring entries concern the same word
        if old not in whole or contains_any(new, work.avoid):
            continue
        number = next((number for number, piece in enumerate(done) if old in piece), None)
        if number is not None and not contains_any(done[number], work.keep):
            done[number] = done[number].replace(old, new)
            left -= 1
            if left == 0:
                break
    return done


def _opening(work: _Work, *, most: int) -> str:
    more = work.dice.below("sentences", most)
    text = _combined(work, work.words.scene)
    for number in range(more):
        text += work.words.gap + _remark(work, f"remark {number}", text)
    return text


def _tag(work: _Work) -> str:
    return _combined(work, work.words.tag)


def _combined(work: _Work, parts: Sequence[Sequence[str]]) -> str:
    """Return one option of each of *parts*, joined, if possible without a cue to avoid."""
    text = ""
    for attempt in range(8):
        rest = work.dice.below(f"drawn {attempt}", prod(map(len, parts)))
        chosen = []
        for options in parts:  # *rest* is one number with a digit for each part
            rest, digit = divmod(rest, len(options))
            chosen.append(options[digit])
        text = "".join(chosen)
        if not contains_any(text, work.avoid):
            break
    return text


def _remark(work: _Work, purpose: str, before: str = "") -> str:
    fresh = [remark for remark in work.words.remarks if remark not in before]
    return work.dice.pick(purpose, fresh, work.avoid)


def _mention(work: _Work, cue: str) -> str:
    return work.dice.pick(f"mention {cue}", work.words.mentions, work.avoid).format(cue=cue)


def _slot_line(work: _Work) -> str:
    line = work.dice.pick("slot", work.words.slots, work.avoid) or SLOT
    return f"\n{line}\n"


def _enforce(work: _Work, pieces: list[str]) -> str:
    if contains_any("".join(pieces), work.avoid):
        pieces = [piece for piece in pieces if not contains_any(piece, work.avoid)]
    pieces = _with_cues(work, _within_length(work, _with_one_slot(work, pieces)))
    gap = work.words.gap
    text = "".join([piece if piece[-1:].isspace() else piece + gap for piece in pieces])
    return _without_cues(text.strip(), work.avoid)


def _with_one_slot(work: _Work, pieces: list[str]) -> list[str]:
    slots = [number for number, piece in enumerate(pieces) if SLOT in piece]
    if not slots:
        return [*pieces, _slot_line(work)]
    return [piece for number, piece in enumerate(pieces) if number not in slots[1:]]


def _within_length(work: _Work, pieces: list[str]) -> list[str]:
    """Drop loose pieces until the text fits; replace the text if the rest is still too long."""
    size = sum(map(len, pieces)) + len(pieces)
    if size <= MAX_CHARS:
        return pieces
    kept = list(pieces)
    for piece in sorted(filter(work.is_loose, pieces), key=len, reverse=True):
        kept.remove(piece)
        size -= len(piece) + 1
        if size <= MAX_CHARS:
            return kept
    return [_opening(work, most=1), _slot_line(work)]


def _with_cues(work: _Work, pieces: list[str]) -> list[str]:
    text = "".join(pieces)
    missing = [cue for cue in work.keep if not contains_any(text, (cue,))]
    return [*(_mention(work, cue) for cue in missing), *pieces]


def _without_cues(text: str, cues: tuple[str, ...]) -> str:
    """Return *text* without *cues*; two neighbouring pieces may have formed one."""
    while contains_any(text, cues):
        before = text
        for cue in cues:
            pattern = re.compile(re.escape(cue), re.IGNORECASE)
            text = SLOT.join(pattern.sub("", part) for part in text.split(SLOT))
        if text == before:  # a letter whose lower case is longer, such as a dotted capital I
            break
    return text


def _broken(work: _Work, tag: str, body: str) -> str:
    """Return *body* with one of the faults that replies of real helpers have."""
    fault = work.dice.pick("fault", ("lost", "doubled", "refusal", "meta", "empty"))
    if fault in {"lost", "doubled"} and tag == "opening":
        return _block(tag, f"{body}{work.words.gap}{SLOT}")
    if fault == "lost":
        return _block(tag, body.replace(SLOT, work.words.stand_in))
    if fault == "doubled":
        return _block(tag, f"{body}\n{SLOT}")
    if fault == "refusal":
        return work.dice.pick("refusal", work.words.refusals)
    if fault == "meta":
        return f"{work.dice.pick('meta', work.words.metas)}\n{_block(tag, body)}"
    return ""


def _block(tag: str, body: str) -> str:
    return f"<{tag}>\n{body}\n</{tag}>"
