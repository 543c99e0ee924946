"""What the engine asks of a strategy. Strategies decide; the engine sends.

A strategy is a class whose fields are its settings: a msgspec Struct, or a dataclass. Hydrometer
converts what the config says into it, and writes every field into the plan. *version* names the
words and rules behind its decisions and goes into the plan too: whoever changes them raises it.
Strategies of other packages are found by entry point (see commands/plugins.py) and look like these;
what they return is held to what is said here (see engine/setup/plugin_checks.py).
"""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from typing import ClassVar, Protocol

import msgspec

from .search.tree import Tree
from .types import Case, Metric, Mutant, NodeId, Opinion, Rejected, TargetFacts


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The template that a ticket visits: the path from where the search entered down to its node.

    It may enter anywhere; from there on each node is a child of the one before. *probability* is
    that of this choice, for selectors that weigh rewards by it.
    """

    path: tuple[NodeId, ...]
    probability: float = 1.0


class Selector(Protocol):
    """Chooses the template that the next ticket rewrites."""

    version: ClassVar[str]

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        """Return the choice of one ticket.

        *step* counts selections from 1. *rng* belongs to this ticket alone.
        """
        ...

    def gain(self, choice: Choice, *, level: int, successes: int, probes: int) -> float:
        """Return what each node of the path earns when *successes* of *probes* drew a claim.

        It is a finite number. *level* is the depth of the chosen node; a root's is 0.
        """
        ...


class Mutator(Protocol):
    """Rewrites templates with the helper's help: builds the prompt, reads the reply."""

    version: ClassVar[str]

    @property
    def parents(self) -> int:
        """How many templates it takes, one or two."""
        ...

    def build_prompt(self, parents: tuple[str, ...]) -> str:
        """Return what to ask the helper about the texts of the parents."""
        ...

    def build_repair(self, fault: str) -> str:
        """Return what to say to the helper about a faulty reply."""
        ...

    def parse(self, reply: str, parents: tuple[str, ...]) -> Mutant | Rejected:
        """Read the helper's *reply*; a Mutant has the slot exactly once."""
        ...


# A judge at work: yields what to say to its model (a conversation's turns, the user's and the
# model's own), is sent the reply's text, or None when that call failed for good, and returns its
# opinions: one for each of its metrics, Unparsed where it cannot tell; after a failed call it may
# leave out what depended on it. A judge that asks nobody yields nothing, and none asks for long
# (engine/setup/plugin_checks.py says how often).
JudgeDialogue = Generator[tuple[str, ...], str | None, tuple[Opinion, ...]]


class Judge(Protocol):
    """Reads responses of one target."""

    def read(self, case: Case) -> JudgeDialogue:
        """Return the reading of one response."""
        ...


class JudgeRules(Protocol):
    """A kind of judge: its prompts or rules, before it knows whom it judges."""

    version: ClassVar[str]
    metrics: ClassVar[tuple[Metric, ...]]  # that it decides, the widest first; that one steers
    asks_model: ClassVar[bool]

    def prepare(self, about: TargetFacts) -> Judge:
        """Return the judge of one target."""
        ...
