"""Protocols of the strategies: selectors, mutators and judges.

A strategy decides and never sends. It builds a prompt and reads a reply; the engine makes the call.

A strategy is a class whose fields are its settings: a msgspec Struct or a dataclass. Hydrometer
converts the settings of the config into it and writes every field into the plan. *version* is
written into the plan too. Raise it with any change to the words or rules of a strategy, so that a
recorded run is not replayed with another strategy than it was made with.

Strategies of other packages are found by entry point (see commands/plugins.py) and have the same
protocols. engine/setup/plugin_checks.py checks that they return what these protocols ask for.
"""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from typing import ClassVar, Protocol

import msgspec

from .search.tree import Tree
from .types import Case, Metric, Mutant, NodeId, Opinion, Rejected, TargetFacts


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The template that one ticket visits, as the path from the first node to the chosen one.

    The path may begin at any node of the tree; each further node is a child of the one before.
    *probability* is the chance that this choice had, for selectors that divide rewards by it.
    """

    path: tuple[NodeId, ...]
    probability: float = 1.0


class Selector(Protocol):
    """Chooses the template that the next ticket rewrites."""

    version: ClassVar[str]

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        """Return the choice of one ticket.

        *step* is the number of this selection, from 1. *rng* belongs to this ticket alone.
        """
        ...

    def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> float:
        """Return the reward that every node of the path gets, a finite number.

        *successes* of the *probes* that were judged were positive. *depth* is that of the chosen
        node; a root has depth 0.
        """
        ...


class Mutator(Protocol):
    """Rewrites templates: builds the prompt for the helper model and parses its reply."""

    version: ClassVar[str]

    @property
    def parents(self) -> int:
        """The number of templates that it takes, one or two."""
        ...

    def build_prompt(self, parents: tuple[str, ...]) -> str:
        """Return the prompt that asks for a new template from the texts of *parents*."""
        ...

    def build_repair(self, fault: str) -> str:
        """Return the message that answers a faulty reply and asks for another one."""
        ...

    def parse(self, reply: str, parents: tuple[str, ...]) -> Mutant | Rejected:
        """Parse the helper's *reply*; the text of a Mutant has the slot exactly once."""
        ...


# The dialogue of a judge with its model. The generator yields a conversation (user and assistant
# turns alternate) and is sent the text of the judge reply, or None when that call failed for good.
# It returns one opinion for each metric of the judge, Unparsed where the reply gave none. After a
# failed call it may leave out the opinions that depended on that call. A judge without a model
# yields nothing. engine/setup/plugin_checks.py limits the number of calls.
JudgeDialogue = Generator[tuple[str, ...], str | None, tuple[Opinion, ...]]


class Judge(Protocol):
    """Judges the responses of one target."""

    def read(self, case: Case) -> JudgeDialogue:
        """Return the dialogue that judges one response."""
        ...


class JudgeRules(Protocol):
    """A kind of judge: its prompts or rules, without a target."""

    version: ClassVar[str]
    # The metrics that this judge returns, broadest first; the first is the reward of the search.
    metrics: ClassVar[tuple[Metric, ...]]
    asks_model: ClassVar[bool]

    def prepare(self, about: TargetFacts) -> Judge:
        """Return the judge of one target."""
        ...
