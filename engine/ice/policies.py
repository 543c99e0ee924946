"""What a ticket does next, and what it teaches: one class for each kind of search.

A tactic decides and remembers; when it is asked, and in which order it learns, is the search's
business (search.py), so none of these knows of windows or arrivals.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Protocol, assert_never

import msgspec

from ...strategies.base import Choice, Mutator, Selector
from ...strategies.mutation.refine import VERSION, Evidence, Refine
from ...strategies.search.tree import Tree
from ...strategies.templates import balanced_sample, stratified_order
from ...strategies.types import NodeId
from ..calls.stages import Try
from ..errors import FileInvalid
from ..setup.plan import IcePlan, Imported, RefineSearch, StaticSearch, TreeSearch
from ..setup.registry import StrategyRegistry
from ..setup.seeds import derive_rng

TRIES = 3  # at a mutation, before a ticket is given up


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One visit: which template, and whether it is asked as it is or rewritten first."""

    choice: Choice
    questions: tuple[int, ...]
    as_is: str = ""  # the text of a seed template that is not rewritten
    tries: tuple[Try, ...] = ()


class VisitResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a visit came to; *text* and *parent* are those of the template that was asked."""

    text: str
    parent: NodeId
    successes: int
    judged: int
    evidence: tuple[Evidence, ...] = ()


class PolicyUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What the tactic made of a visit: the reward, and the place of a template it admitted."""

    gain: float
    node: NodeId | None = None


class SearchPolicy(Protocol):
    """Chooses visits and learns from them."""

    def choose(self, ticket: int, room: int) -> Visit | None:
        """Return the next visit, of at most *room* questions; None when nothing is left to ask."""
        ...

    def learn(self, move: Visit, visit: VisitResult) -> PolicyUpdate:
        """Take the result of *move*."""
        ...


def build_policy(plan: IcePlan, catalogue: StrategyRegistry) -> SearchPolicy:
    """Return the tactic that *plan* asks for. Raises FileInvalid for a strategy that is missing."""
    match plan.search:
        case TreeSearch():
            mutators = tuple((m.name, catalogue.mutator(m)) for m in plan.search.mutators)
            return _Rewriting(plan, plan.search, catalogue.selector(plan.search.selector), mutators)
        case RefineSearch():
            if plan.search.rewriting_version != VERSION:
                raise FileInvalid(
                    f"the plan's rewriting is of version {plan.search.rewriting_version}, here it "
                    f"is {VERSION}: it would decide differently"
                )
            return _Refining(plan, plan.search, catalogue.selector(plan.search.selector))
        case StaticSearch():
            return _Static(plan)
        case Imported():
            raise ValueError("an imported run has no search")
        case _:
            assert_never(plan.search)


class _Growing:
    """A tree of templates that a selector walks and mutants join."""

    def __init__(
        self, plan: IcePlan, search: TreeSearch | RefineSearch, selector: Selector
    ) -> None:
        self._plan = plan
        self._admit_all = search.admit == "all"
        self._selector = selector
        self._tree = Tree(len(plan.templates))
        self._texts = [template.text for template in plan.templates]  # by tree node
        self._draws: Counter[tuple[str, tuple[NodeId, ...]]] = Counter()

    def learn(self, move: Visit, visit: VisitResult) -> PolicyUpdate:
        """Reward the path, and admit a new template if the plan says so."""
        choice = move.choice
        depth = self._tree.depths[choice.path[-1]]
        reward = 0.0
        if visit.judged:  # unread answers are no evidence, neither for nor against
            reward = self._selector.reward(
                choice, depth=depth, successes=visit.successes, probes=visit.judged
            )
        self._tree.backpropagate(choice.path, reward)
        node = None
        if not move.as_is and (self._admit_all or visit.successes):
            node = self._tree.add(visit.parent)
            self._texts.append(visit.text)
        return PolicyUpdate(gain=reward, node=node)

    def _select(self, ticket: int) -> Choice:
        choice = self._selector.select(
            self._tree, step=ticket + 1, rng=derive_rng(self._plan.seed, "select", ticket)
        )
        self._tree.visit(choice.path)
        return choice

    def _questions(self, ticket: int, room: int) -> tuple[int, ...]:
        return balanced_sample(
            self._plan.questions,
            min(self._plan.questions_per_visit, room),
            derive_rng(self._plan.seed, "questions", ticket),
        )

    def _try(self, name: str, mutator: Mutator, parents: tuple[NodeId, ...]) -> Try:
        """*draw* numbers the tickets that asked for the same rewriting, in ticket order."""
        draw = self._draws[name, parents]
        self._draws[name, parents] += 1
        texts = tuple(self._texts[parent] for parent in parents)
        return Try(name=name, mutator=mutator, parents=parents, texts=texts, draw=draw)


class _Rewriting(_Growing):
    """Every visit rewrites: the search of the paper."""

    def __init__(
        self,
        plan: IcePlan,
        search: TreeSearch,
        selector: Selector,
        mutators: tuple[tuple[str, Mutator], ...],
    ) -> None:
        super().__init__(plan, search, selector)
        self._mutators = mutators

    def choose(self, ticket: int, room: int) -> Visit:
        """Select a template, and draw the mutators to try."""
        choice = self._select(ticket)
        questions = self._questions(ticket, room)
        return Visit(choice=choice, questions=questions, tries=self._tries(ticket, choice.path[-1]))

    def _tries(self, ticket: int, node: NodeId) -> tuple[Try, ...]:
        """Draw the mutators to try, all different, with partners for those that need one."""
        rng = derive_rng(self._plan.seed, "mutate", ticket)
        tries = []
        for name, mutator in rng.sample(self._mutators, min(TRIES, len(self._mutators))):
            parents = (node,) if mutator.parents == 1 else (node, self._partner(node, rng))
            tries.append(self._try(name, mutator, parents))
        return tuple(tries)

    def _partner(self, node: NodeId, rng: Random) -> NodeId:
        """Draw another node than *node*, if there is one."""
        if len(self._tree) == 1:
            return node
        other = rng.randrange(len(self._tree) - 1)
        return other + (other >= node)


class _Refining(_Growing):
    """The first visit of a seed template asks it as it is; later ones rewrite on feedback."""

    def __init__(self, plan: IcePlan, search: RefineSearch, selector: Selector) -> None:
        super().__init__(plan, search, selector)
        self._tried: set[NodeId] = set()
        self._evidence: dict[NodeId, tuple[Evidence, ...]] = {}

    def choose(self, ticket: int, room: int) -> Visit:
        """Select a template, and rewrite it if it is known or about to be."""
        choice = self._select(ticket)
        node = choice.path[-1]
        questions = self._questions(ticket, room)
        if node in self._tree.roots and node not in self._tried:
            self._tried.add(node)
            return Visit(choice=choice, questions=questions, as_is=self._texts[node])
        refine = Refine(evidence=self._evidence.get(node, ()))
        tries = tuple(self._try("refine", refine, (node,)) for _ in range(TRIES))
        return Visit(choice=choice, questions=questions, tries=tries)

    def learn(self, move: Visit, visit: VisitResult) -> PolicyUpdate:
        """Reward the path, and keep what the template drew for its rewriting."""
        learnt = super().learn(move, visit)
        node = move.choice.path[-1] if move.as_is else learnt.node
        if node is not None:
            self._evidence[node] = visit.evidence
        return learnt


class _Static:
    """Seed templates in turn, a few questions of each at a time, none of them twice."""

    def __init__(self, plan: IcePlan) -> None:
        self._plan = plan
        self._orders = [
            stratified_order(plan.questions, derive_rng(plan.seed, "questions", number))
            for number in range(len(plan.templates))
        ]

    def choose(self, ticket: int, room: int) -> Visit | None:
        """Return the next stretch of questions in the next template."""
        plan = self._plan
        turn, node = divmod(ticket, len(plan.templates))
        first = turn * plan.questions_per_visit
        questions = self._orders[node][first : first + min(plan.questions_per_visit, room)]
        if not questions:
            return None
        return Visit(
            choice=Choice(path=(node,)),
            questions=tuple(sorted(questions)),
            as_is=plan.templates[node].text,
        )

    def learn(self, move: Visit, visit: VisitResult) -> PolicyUpdate:
        """Return the share of successes; it is recorded and steers nothing."""
        return PolicyUpdate(gain=visit.successes / visit.judged if visit.judged else 0.0)
