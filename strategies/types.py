"""Value types that strategies take and return: immutable data without I/O."""

from __future__ import annotations

from typing import Literal

import msgspec

Metric = Literal["loose", "strict", "hard"]
NodeId = int

SLOT = "{query}"


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One identity question; *category* is empty when its file gives none."""

    id: str
    text: str
    language: str = "en"
    category: str = ""


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text with exactly one ``{query}`` slot, and its author's description of it."""

    id: str
    text: str
    language: str = "en"
    frame: str = ""
    vendors: tuple[str, ...] = ()


class Vendor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One maker of models, with the names of the maker and of its models.

    *marks* are lower-case substrings: a prompt that contains one counts as naming this vendor.
    """

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True, tag="verdict"):
    """A judge's parsed opinion on one response, for one metric."""

    metric: Metric
    positive: bool
    vendor: str = ""  # the id that the response claims, for a positive strict or hard verdict
    quote: str = ""  # the words of the response that decided the verdict
    reason: str = ""


class Unparsed(msgspec.Struct, frozen=True, kw_only=True, tag="unparsed"):
    """The judge gave no readable verdict, even when asked twice. Not a negative verdict."""

    metric: Metric
    reason: str = ""


Opinion = Verdict | Unparsed


class TargetFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about the target that a judge gets.

    *strict_vendors* are the ids that a strict claim may name; the target's own is never among them.
    """

    fact: str = ""
    own_vendor: str = ""
    vendors: tuple[Vendor, ...] = ()
    strict_vendors: tuple[str, ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One response to judge, with its prompt: the template filled with *question*."""

    question: str
    prompt: str
    response: str


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """A usable new template; *repairs* names the faults that were repaired by rule."""

    text: str
    repairs: tuple[str, ...] = ()


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A helper's reply without a usable template; *fault* is the reason, in one word."""

    fault: str


class ProbeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One probe as the input of a score: its template, its question and its outcome.

    *state* is "judged" when there is a response to judge. "failed", "refused" and "truncated" have
    no opinions and are reported beside every score. "unread" is a response without an opinion in
    the layer of a later judge; it is reported too.
    """

    template: int
    question: int
    state: Literal["judged", "failed", "refused", "truncated", "unread"]
    opinions: tuple[Opinion, ...] = ()
