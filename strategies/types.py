"""The values that strategies read and return: no await, no clock, no file behind any of them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Metric = Literal["loose", "strict", "hard"]
NodeId = int

SLOT = "{query}"

# For the settings of strategies.
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One identity question; *category* is empty when the file named none."""

    id: str
    text: str
    language: str = "en"
    category: str = ""


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text with exactly one ``{query}`` slot, and what its author declared about it."""

    id: str
    text: str
    language: str = "en"
    frame: str = ""
    vendors: tuple[str, ...] = ()


class Vendor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One maker of models: what it and its models are called.

    *marks* are the lower-case substrings by which a prompt is held to name this vendor.
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
    vendor: str = ""  # whom the response claims to be, for a positive strict or hard verdict
    quote: str = ""  # the words that decided
    reason: str = ""


class Unparsed(msgspec.Struct, frozen=True, kw_only=True, tag="unparsed"):
    """The judge gave no single readable verdict, even when asked again. Not a zero."""

    metric: Metric
    reason: str = ""


Opinion = Verdict | Unparsed


class TargetFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge is told of the target. *strict_vendors* never has the target's own."""

    fact: str = ""
    own_vendor: str = ""
    vendors: tuple[Vendor, ...] = ()
    strict_vendors: tuple[str, ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One response to judge, and what drew it: *prompt* is the template filled with *question*."""

    question: str
    prompt: str
    response: str


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """A usable new template; *repairs* names what had to be mended by rule."""

    text: str
    repairs: tuple[str, ...] = ()


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A helper's reply that is no template; *fault* is why, in a word."""

    fault: str


class ProbeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One probe as a score sees it: which template and question, and what came of it.

    *state* is "judged" when there is an answer to read; "failed", "refused" and "truncated"
    never have opinions and are counted beside every score, and so is "unread": an answer that a
    later judge's layer does not have.
    """

    template: int
    question: int
    state: Literal["judged", "failed", "refused", "truncated", "unread"]
    opinions: tuple[Opinion, ...] = ()
