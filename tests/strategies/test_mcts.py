from __future__ import annotations

import math
from random import Random

import pytest

from hydrometer.strategies.base import Choice
from hydrometer.strategies.search.baselines import RandomChoice, RoundRobin
from hydrometer.strategies.search.mcts import MctsExplore
from hydrometer.strategies.search.tree import Tree

ROOT = Choice(path=(0,))  # where reward does not depend on the choice


class NoDice(Random):
    """A stream that must not be read, or that gives what it is told."""

    def __init__(self, *rolls: float) -> None:
        super().__init__()
        self._rolls = list(rolls)

    def random(self) -> float:
        return self._rolls.pop(0)


def test_a_hand_computed_sequence_of_four_steps() -> None:
    # Two roots. c = 0.5, alpha = 0.1, beta = 0.2.
    # Step 1: ln 1 = 0, both score 0, the tie goes to root 0. It earns 0.6 and gets child 2.
    # Step 2: root 0: 0.6/2 + 0.5*sqrt(2 ln 2/1.01) = 0.8858; root 1: 0.5*sqrt(2 ln 2/0.01) = 5.887.
    #         Root 1; it earns 0.1.
    # Step 3: root 0: 0.3 + 0.5*sqrt(2 ln 3/1.01) = 1.0375; root 1: 0.05 + 0.7375 = 0.7875.
    #         Root 0, then 0.5 >= alpha: on to child 2. Level 1: 0.5 * max(0.2, 0.9) = 0.45.
    # Step 4: root 0: 1.05/3 + 0.5*sqrt(2 ln 4/2.01) = 0.9372;
    #         root 1: 0.05 + 0.5*sqrt(2 ln 4/1.01) = 0.8785. Root 0, then 0.05 < alpha: stop there.
    selector, tree = MctsExplore(), Tree(2)

    assert selector.select(tree, step=1, rng=NoDice()).path == (0,)
    tree.visit((0,))
    tree.backpropagate((0,), selector.reward(ROOT, depth=0, successes=6, probes=10))
    child = tree.add(0)
    assert selector.select(tree, step=2, rng=NoDice()).path == (1,)
    assert selector.score(tree, 0, 2) == pytest.approx(0.8858, abs=1e-4)
    assert selector.score(tree, 1, 2) == pytest.approx(5.8871, abs=1e-4)
    tree.visit((1,))
    tree.backpropagate((1,), selector.reward(ROOT, depth=0, successes=1, probes=10))
    assert selector.select(tree, step=3, rng=NoDice(0.5)).path == (0, child)
    tree.visit((0, child))
    reward = selector.reward(ROOT, depth=tree.depths[child], successes=5, probes=10)
    assert reward == pytest.approx(0.45)
    tree.backpropagate((0, child), reward)
    assert selector.select(tree, step=4, rng=NoDice(0.05)).path == (0,)
    assert selector.score(tree, 0, 4) == pytest.approx(0.9372, abs=1e-4)
    assert selector.score(tree, 1, 4) == pytest.approx(0.8785, abs=1e-4)


def test_the_reward_of_a_deep_node_never_falls_below_the_floor() -> None:
    selector = MctsExplore()

    rewards = [
        selector.reward(ROOT, depth=depth, successes=10, probes=10) for depth in (0, 1, 7, 8, 9, 40)
    ]

    assert rewards == pytest.approx([1.0, 0.9, 0.3, 0.2, 0.2, 0.2])


def test_300_steps_over_40_roots_equal_an_independent_computation() -> None:
    selector, tree = MctsExplore(), Tree(40)
    ours, theirs = [], []
    peer = _Peer(roots=40)
    rewards = Random("rewards")
    for step in range(1, 301):
        path = selector.select(tree, step=step, rng=Random(f"roll/{step}")).path
        tree.visit(path)
        other = peer.select(step, Random(f"roll/{step}"))
        successes = rewards.choice((0, 0, 1, 5, 30))
        depth = tree.depths[path[-1]]
        tree.backpropagate(path, selector.reward(ROOT, depth=depth, successes=successes, probes=50))
        peer.update(other, successes / 50)
        if successes:
            tree.add(path[-1])
            peer.grow(other[-1])
        ours.append(path)
        theirs.append(tuple(other))

    assert ours == theirs
    assert max(len(path) for path in ours) >= 4


class _Node:
    def __init__(self, up: int | None) -> None:
        self.visits = 0
        self.reward = 0.0
        self.up = up
        self.down: list[int] = []


class _Peer:
    """The formulas once more, over linked nodes, written without looking at ours."""

    def __init__(self, roots: int) -> None:
        self.nodes = {n: _Node(None) for n in range(roots)}
        self.roots = list(range(roots))

    def value(self, n: int, step: int) -> float:
        node = self.nodes[n]
        exploit = node.reward / (node.visits + 1)
        explore = 0.5 * math.sqrt(2 * math.log(step) / (node.visits + 0.01))
        return exploit + explore

    def select(self, step: int, rng: Random) -> list[int]:
        path = [self.best(self.roots, step)]
        while True:
            down = self.nodes[path[-1]].down
            if not down or rng.random() < 0.1:
                break
            path.append(self.best(down, step))
        for n in path:
            self.nodes[n].visits += 1
        return path

    def best(self, among: list[int], step: int) -> int:
        return sorted(among, key=lambda n: (-self.value(n, step), n))[0]

    def update(self, path: list[int], share: float) -> None:
        depth, node = 0, self.nodes[path[-1]]
        while node.up is not None:
            depth, node = depth + 1, self.nodes[node.up]
        weight = max(1 - 0.1 * depth, 0.2)
        for n in path:
            self.nodes[n].reward += share * weight

    def grow(self, parent: int) -> None:
        n = len(self.nodes)
        self.nodes[n] = _Node(parent)
        self.nodes[parent].down.append(n)


def test_the_published_rule_visits_every_root_in_order_whatever_it_earns() -> None:
    selector, tree = MctsExplore(), Tree(40)
    chosen = []
    for step in range(1, 21):
        path = selector.select(tree, step=step, rng=Random(step)).path
        tree.visit(path)
        tree.backpropagate(path, 1.0 if step == 1 else 0.0)
        chosen.append(path[0])

    assert chosen == list(range(20))


def test_a_prior_lets_a_rewarded_root_come_back_before_all_were_visited() -> None:
    selector = MctsExplore(explore=0.3, prior_visits=1.0, prior_reward=0.2)
    tree = Tree(40)
    chosen = []
    for step in range(1, 41):
        path = selector.select(tree, step=step, rng=Random(step)).path
        tree.visit(path)
        tree.backpropagate(path, 0.7 if path[0] == 3 else 0.0)
        chosen.append(path[0])

    assert chosen.count(3) > 5
    assert len(set(chosen)) > 10


def test_round_robin_takes_all_in_turn_and_newcomers_at_once() -> None:
    selector, tree = RoundRobin(), Tree(3)
    chosen = []
    for step in range(1, 7):
        path = selector.select(tree, step=step, rng=NoDice()).path
        tree.visit(path)
        chosen.append(path)
        if step == 4:
            tree.add(0)

    assert chosen == [(0,), (1,), (2,), (0,), (3,), (1,)]


def test_random_choice_depends_on_the_tickets_stream_alone() -> None:
    tree = Tree(40)

    paths = [RandomChoice().select(tree, step=1, rng=Random("a")).path for _ in range(5)]

    assert len(set(paths)) == 1


def test_a_tree_without_roots_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a tree needs at least one root, got 0$"):
        Tree(0)
