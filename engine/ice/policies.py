"""Search policies: they choose the template to visit next, and update from the result.

There is one class for each kind of search. search.py decides when a policy chooses, and in which
order it learns. So a policy does not depend on the window, or on the order in which answers arrive.
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
from ..errors import FileInvalid
from ..setup.registry import StrategyRegistry
from ..setup.seeds import derive_rng
from .ice_plan import IcePlan, Imported, RefineSearch, StaticSearch, TreeSearch
from .mutating import Try

TRIES = 3  # tries of a mutation; if all are rejected, the ticket has no mutant


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One visit: a template to probe, either unchanged (*seed_text*) or rewritten (*tries*)."""

    choice: Choice
    questions: tuple[int, ...]
    seed_text: str = ""  # the text of a seed template that is probed unchanged
    tries: tuple[Try, ...] = ()


class VisitResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a visit. *text* and *parent* belong to the template that was probed."""

    text: str
    parent: NodeId
    successes: int
    judged: int
    evidence: tuple[Evidence, ...] = ()


class PolicyUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """The reward of a visit, and the new node if the policy admitted the template to the tree."""

    reward: float
    node: NodeId | None = None


class SearchPolicy(Protocol):
    """Chooses visits and learns from them."""

    def choose(self, ticket: int, room: int) -> Visit | None:
        """Return the next visit, with at most *room* questions, or None if nothing is left."""
        ...

    def learn(self, visit: Visit, result: VisitResult) -> PolicyUpdate:
        """Update from the *result* of *visit*."""
        ...


def build_policy(plan: IcePlan, registry: StrategyRegistry) -> SearchPolicy:
    """Return the policy of *plan*. Raises FileInvalid if a strategy of it is not installed here."""
    match plan.search:
        case TreeSearch():
            mutators = tuple((m.name, registry.mutator(m)) for m in plan.search.mutators)
            return _TreePolicy(plan, plan.search, registry.selector(plan.search.selector), mutators)
        case RefineSearch():
            if plan.search.rewriting_version != VERSION:
                raise FileInvalid(
                    f"the plan's rewriting is of version {plan.search.rewriting_version}, here it "
                    f"is {VERSION}: it would decide differently"
                )
            return _RefinePolicy(plan, plan.search, registry.selector(plan.search.selector))
        case StaticSearch():
            return _StaticPolicy(plan)
        case Imported():
            raise ValueError("an imported run has no search")
        case _:
            assert_never(plan.search)


class _GrowingTree:
    """Shared part of two policies: a selector chooses a node, and mutants are added to the tree."""

    def __init__(
        self, plan: IcePlan, search: TreeSearch | RefineSearch, selector: Selector
    ) -> None:
        self._plan = plan
        self._admit_all = search.admit == "all"
        self._selector = selector
        self._tree = Tree(len(plan.templates))
        self._texts = [template.text for template in plan.templates]  # by tree node
        self._draws: Counter[tuple[str, tuple[NodeId, ...]]] = Counter()

    def learn(self, visit: Visit, result: VisitResult) -> PolicyUpdate:
        """Backpropagate the reward, and admit the new template to the tree if the plan says so."""
        choice = visit.choice
        depth = self._tree.depths[choice.path[-1]]
        reward = 0.0
        if result.judged:  # answers without a verdict are no evidence for or against the template
            reward = self._selector.reward(
                choice, depth=depth, successes=result.successes, probes=result.judged
            )
        self._tree.backpropagate(choice.path, reward)
        node = None
        if not visit.seed_text and (self._admit_all or result.successes):
            node = self._tree.add(result.parent)
            self._texts.append(result.text)
        return PolicyUpdate(reward=reward, node=node)

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
        """Return a try. Its draw is the number of earlier tries with the same mutator and parents.

        Without it, the same request would be answered from the cache with the same mutant.
        """
        draw = self._draws[name, parents]
        self._draws[name, parents] += 1
        texts = tuple(self._texts[parent] for parent in parents)
        return Try(name=name, mutator=mutator, parents=parents, texts=texts, draw=draw)


class _TreePolicy(_GrowingTree):
    """The search of the paper: every visit rewrites a template."""

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
        """Draw different mutators to try. A mutator with two parents also gets a partner."""
        rng = derive_rng(self._plan.seed, "mutate", ticket)
        tries = []
        for name, mutator in rng.sample(self._mutators, min(TRIES, len(self._mutators))):
            parents = (node,) if mutator.parents == 1 else (node, self._partner(node, rng))
            tries.append(self._try(name, mutator, parents))
        return tuple(tries)

    def _partner(self, node: NodeId, rng: Random) -> NodeId:
        """Draw a node other than *node*. If there is none, return *node*."""
        if len(self._tree) == 1:
            return node
        other = rng.randrange(len(self._tree) - 1)
        return other + (other >= node)


class _RefinePolicy(_GrowingTree):
    """Probes a seed template unchanged on its first visit, and rewrites with feedback later."""

    def __init__(self, plan: IcePlan, search: RefineSearch, selector: Selector) -> None:
        super().__init__(plan, search, selector)
        self._tried: set[NodeId] = set()
        self._evidence: dict[NodeId, tuple[Evidence, ...]] = {}

    def choose(self, ticket: int, room: int) -> Visit:
        """Select a template. It is rewritten unless this is the first visit of a seed template."""
        choice = self._select(ticket)
        node = choice.path[-1]
        questions = self._questions(ticket, room)
        if node in self._tree.roots and node not in self._tried:
            self._tried.add(node)
            return Visit(choice=choice, questions=questions, seed_text=self._texts[node])
        refine = Refine(evidence=self._evidence.get(node, ()))
        tries = tuple(self._try("refine", refine, (node,)) for _ in range(TRIES))
        return Visit(choice=choice, questions=questions, tries=tries)

    def learn(self, visit: Visit, result: VisitResult) -> PolicyUpdate:
        """Backpropagate the reward, and keep the template's answers as feedback for rewriting."""
        update = super().learn(visit, result)
        node = visit.choice.path[-1] if visit.seed_text else update.node
        if node is not None:
            self._evidence[node] = result.evidence
        return update


class _StaticPolicy:
    """Visits the seed templates in turn. No question is asked twice in the same template."""

    def __init__(self, plan: IcePlan) -> None:
        self._plan = plan
        self._orders = [
            stratified_order(plan.questions, derive_rng(plan.seed, "questions", number))
            for number in range(len(plan.templates))
        ]

    def choose(self, ticket: int, room: int) -> Visit | None:
        """Return a visit of the next template, with the next questions of its order."""
        plan = self._plan
        turn, node = divmod(ticket, len(plan.templates))
        first = turn * plan.questions_per_visit
        questions = self._orders[node][first : first + min(plan.questions_per_visit, room)]
        if not questions:
            return None
        return Visit(
            choice=Choice(path=(node,)),
            questions=tuple(sorted(questions)),
            seed_text=plan.templates[node].text,
        )

    def learn(self, visit: Visit, result: VisitResult) -> PolicyUpdate:
        """Return the share of successes as the reward. It is recorded, but changes no choice."""
        return PolicyUpdate(reward=result.successes / result.judged if result.judged else 0.0)
