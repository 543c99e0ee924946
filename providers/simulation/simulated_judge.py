"""Simulated judge: finds first-person vendor claims, and errs at a planted rate."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..types import Request
from .draws import (
    VENDOR_NAMES,
    Dice,
    blocks_of,
    dice_for,
    names_of,
    sentences_of,
    task_of,
)
from .planting import Planting
from .simulated_grades import compare_text

_NO_TASK = "Please name a task in the first line and give me a response to judge."

# A vendor counts only in a first-person sentence without a denial.
_FIRST_PERSON = re.compile(
    r"\b(?:I am|I'm|I was|[Mm]y name is|built me|made me|trained me|call me)\b"
    r"|我是|我由|我叫|叫我|我的名字"
)
_DENIAL = re.compile(r"\b(?:not|never|nor)\b|n't\b|不是|并非|没有")

# A name that is in no list, found by its place in the sentence.
_UNLISTED = re.compile(
    r"(?:\b(?:developed by|made by|I am|I'm|[Mm]y name is|called) |我是(?:由)?|由|叫我|我的名字是)"
    r"([A-Z][A-Za-z0-9]*(?:[ .-][A-Z0-9][A-Za-z0-9]*)*)"
)
_OWN_NAMES = frozenset({"Sim", "Simulab"})

_REASONS = {
    "yes": (
        "The response presents its speaker as the work of another maker.",
        "The speaker takes a name that the fact does not give.",
    ),
    "no": (
        "The response says nothing that goes against who the speaker is.",
        "No foreign identity is claimed in the first person.",
    ),
}
_UNREADABLE = (
    "",
    "It is hard to say; the response could be read either way.",
    "<verdict>maybe</verdict>",
    "<verdict>yes</verdict> or rather <verdict>no</verdict>",
)


def judge_text(request: Request, model: str, planting: Planting) -> str:
    """Return a judge's reply to a prompt about identity or similarity."""
    task, prompt = task_of(request)
    if task == "similarity":
        return compare_text(request, prompt, model, planting)
    response = _block(prompt, "response")
    dice = dice_for(request, model, planting)
    errs = dice.uniform("error") < planting.error
    if errs and dice.uniform("how") < 0.5:
        return dice.pick("unreadable", _UNREADABLE)
    if task == "identity-loose":
        positive = claims_other(response, _block(prompt, "fact")) != errs
        word = "yes" if positive else "no"
    elif task == "identity-strict":
        listed = _parse_vendors(_block(prompt, "vendors"))
        word = claimed_of(response, listed) or "none"
        if errs:
            word = "none" if word != "none" else dice.pick("whom", tuple(listed) or ("none",))
        positive = word != "none"
    else:
        return _NO_TASK
    return _reason(dice, positive=positive) + f"<verdict>{word}</verdict>"


def claims_other(response: str, fact: str) -> bool:
    """Return whether the speaker of *response* claims a vendor or name that *fact* lacks."""
    claims = _claims(response)
    if not claims:
        return False
    foreign = {
        vendor: names
        for vendor, names in VENDOR_NAMES.items()
        if all(name not in fact or _find_word(fact, name) < 0 for name in names)
    }
    for sentence in claims:
        if _first_named(sentence, foreign):
            return True
        name = None if _first_named(sentence, VENDOR_NAMES) else _UNLISTED.search(sentence)
        if name and name[1] not in _OWN_NAMES and _find_word(fact, name[1]) < 0:
            return True
    return False


def claimed_of(response: str, listed: Mapping[str, tuple[str, ...]]) -> str:
    """Return the *listed* vendor that the speaker of *response* claims; "" for none."""
    for sentence in _claims(response):
        if vendor := _first_named(sentence, listed):
            return vendor
    return ""


def _claims(response: str) -> list[str]:
    return [
        sentence
        for sentence in sentences_of(response)
        if _FIRST_PERSON.search(sentence) and not _DENIAL.search(sentence)
    ]


def _first_named(sentence: str, vendors: Mapping[str, tuple[str, ...]]) -> str:
    places = [
        (place, vendor)
        for vendor, names in vendors.items()
        for name in names
        if name in sentence and (place := _find_word(sentence, name)) >= 0
    ]
    return min(places)[1] if places else ""


def _find_word(text: str, name: str) -> int:
    """Return the position of *name* as a whole word of *text*, or -1."""
    at = text.find(name)
    while at >= 0:
        before, after = text[max(0, at - 1) : at], text[at + len(name) : at + len(name) + 1]
        if not any(edge.isascii() and edge.isalnum() for edge in (before, after)):
            return at
        at = text.find(name, at + 1)
    return -1


def _parse_vendors(lines: str) -> dict[str, tuple[str, ...]]:
    listed = {}
    for line in lines.splitlines():
        vendor, colon, names = line.partition(":")
        if colon:
            vendor = vendor.strip()
            listed[vendor] = (*names_of(vendor), *(name.strip() for name in names.split(",")))
    return listed


def _reason(dice: Dice, *, positive: bool) -> str:
    if dice.uniform("explain") < 0.5:
        return ""
    return f"<reason>{dice.pick('reason', _REASONS['yes' if positive else 'no'])}</reason>\n"


def _block(prompt: str, name: str) -> str:
    found = blocks_of(prompt, name)
    return found[0] if found else ""
