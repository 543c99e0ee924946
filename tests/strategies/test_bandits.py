"""UCB and EXP3 against sequences computed by hand, and against the formulas written once more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal, getcontext
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.strategies.base import Choice
from hydrometer.strategies.search.bandits import Exp3, Ucb
from hydrometer.strategies.search.tree import Tree


class Rolls(Random):
    """A stream that gives what it is told, and nothing beyond."""

    def __init__(self, *rolls: float) -> None:
        super().__init__()
        self._rolls = list(rolls)

    def random(self) -> float:
        return self._rolls.pop(0)


def make_tree(*nodes: tuple[int, float]) -> Tree:
    """Return roots with the given visits and rewards."""
    tree = Tree(len(nodes))
    tree.visits[:] = [visits for visits, _ in nodes]
    tree.rewards[:] = [reward for _, reward in nodes]
    return tree


def pull(
    selector: Ucb | Exp3, tree: Tree, step: int, rng: Random, successes: int, probes: int = 5
) -> Choice:
    """Do one whole visit, as a search does."""
    choice = selector.select(tree, step=step, rng=rng)
    tree.visit(choice.path)
    depth = tree.depths[choice.path[-1]]
    reward = selector.reward(choice, depth=depth, successes=successes, probes=probes)
    tree.backpropagate(choice.path, reward)
    return choice


def test_ucb_follows_a_sequence_computed_by_hand() -> None:
    # c = 0.5. Step 1: ln 1 = 0, both bounds are 0, the tie goes to node 0; it earns 0.2.
    # Step 2: node 0: 0.2/2 + 0.5*sqrt(2 ln 2 / 2) = 0.5163; node 1: 0.5*sqrt(2 ln 2) = 0.5887.
    #         Node 1 earns 0.8.
    # Step 3: node 0: 0.1 + 0.5*sqrt(2 ln 3 / 2) = 0.6241; node 1: 0.4 + 0.5241 = 0.9241.
    #         Node 1 earns nothing. A mutant joins as node 2.
    # Step 4: node 0: 0.1 + 0.5*sqrt(2 ln 4 / 2) = 0.6887; node 1: 0.8/3 + 0.5*sqrt(2 ln 4 / 3) =
    #         0.7473; node 2: 0.5*sqrt(2 ln 4) = 0.8326. Node 2 earns nothing.
    # Step 5: node 0: 0.1 + 0.5*sqrt(2 ln 5 / 2) = 0.7343; node 1: 0.2667 + 0.5179 = 0.7846;
    #         node 2: 0.5*sqrt(2 ln 5 / 2) = 0.6343. Node 1.
    selector, tree, nobody = Ucb(), Tree(2), Rolls()
    chosen = [
        pull(selector, tree, step, nobody, successes).path
        for step, successes in ((1, 1), (2, 4), (3, 0))
    ]
    tree.add(1)
    chosen += [pull(selector, tree, step, nobody, 0).path for step in (4, 5)]

    assert chosen == [(0,), (1,), (1,), (2,), (1,)]
    assert tree.visits == [1, 3, 1]
    assert tree.rewards == pytest.approx([0.2, 0.8, 0.0])


def test_exp3_follows_a_sequence_computed_by_hand() -> None:
    # g = 0.2, K = 2. Both are as likely. 0.3 draws node 0, which earns 1 / 0.5 = 2.
    # w = (e^(0.2*2/2), 1) = (1.2214, 1): p0 = 0.8*1.2214/2.2214 + 0.1 = 0.5399. 0.6 draws node 1,
    # which earns 0.5 / 0.4601 = 1.0866. A mutant joins: K = 3 and G = (2, 1.0866, 0), so
    # w = (e^0.13333, e^0.07244, 1) = (1.14263, 1.07513, 1), their sum is 3.21776, and
    # p = (0.35075, 0.33397, 0.31529). 0.69 lies beyond p0 + p1 = 0.68471: node 2.
    selector, tree = Exp3(), Tree(2)

    first = pull(selector, tree, 1, Rolls(0.3), successes=4, probes=4)
    second = pull(selector, tree, 2, Rolls(0.6), successes=2, probes=4)
    tree.add(0)
    third = selector.select(tree, step=3, rng=Rolls(0.69))

    assert (first.path, first.probability) == ((0,), 0.5)
    assert second.path == (1,)
    assert second.probability == pytest.approx(0.460133, abs=1e-6)
    assert tree.rewards == pytest.approx([2.0, 1.086643, 0.0], abs=1e-6)
    assert third.path == (2,)
    assert selector.chances(tree) == pytest.approx([0.350748, 0.333966, 0.315287], abs=2e-6)
    assert third.probability == pytest.approx(0.315287, abs=2e-6)


def test_ucb_equals_a_second_computation_over_200_steps() -> None:
    selector, tree = Ucb(explore=0.4), Tree(9)
    pulls, sums = [0] * 9, [0.0] * 9
    ours, theirs = [], []
    for step in range(1, 201):
        dice = Random(f"ucb/{step}")
        bounds = []
        for node in range(len(pulls)):
            tried = pulls[node] + 1
            bound = sums[node] / tried + 0.4 * math.sqrt(2 * math.log(step) / tried)
            bounds.append((-round(bound, 12), node))
        expected = min(bounds)[1]
        successes = dice.choice((0, 0, 0, 2, 9)) if expected % 3 else dice.choice((5, 10))
        ours.append(pull(selector, tree, step, Rolls(), successes, probes=10).path)
        theirs.append((expected,))
        pulls[expected] += 1
        sums[expected] += successes / 10
        if step % 17 == 0:
            tree.add(expected)
            pulls.append(0)
            sums.append(0.0)

    assert ours == theirs
    assert len(set(ours)) > 10


def test_exp3_equals_a_second_computation_over_200_steps() -> None:
    """In decimals of 50 digits, with weights that are never shifted."""
    getcontext().prec = 50
    mix = Decimal("0.35")
    selector, tree = Exp3(mix=0.35), Tree(6)
    earned = [Decimal(0)] * 6
    drawn: list[int] = []
    for step in range(1, 201):
        dice = Random(f"exp3/{step}")
        roll, successes = dice.random(), dice.choice((0, 0, 1, 3, 10))
        count = len(earned)
        weights = [(mix * sum_ / count).exp() for sum_ in earned]
        chances = [(1 - mix) * weight / sum(weights) + mix / count for weight in weights]
        upto, expected = Decimal(0), -1
        for chance in chances:
            if roll < upto:
                break
            upto += chance
            expected += 1

        choice = pull(selector, tree, step, Rolls(roll), successes, probes=10)

        assert choice.path == (expected,)
        assert choice.probability == pytest.approx(float(chances[expected]), rel=1e-9)
        earned[expected] += Decimal(successes) / 10 / chances[expected]
        drawn.append(expected)
        if step % 20 == 0:
            tree.add(expected)
            earned.append(Decimal(0))

    assert tree.rewards == pytest.approx([float(sum_) for sum_ in earned], rel=1e-9)
    assert len(set(drawn)) > 10


def test_exp3_with_a_fixed_number_of_arms_is_the_multiplicative_rule_of_the_textbook() -> None:
    selector, tree = Exp3(mix=0.1), Tree(4)
    weights = [1.0] * 4
    for step in range(1, 101):
        chances = [0.9 * weight / math.fsum(weights) + 0.1 / 4 for weight in weights]
        assert selector.chances(tree) == pytest.approx(chances, rel=1e-9)
        choice = pull(selector, tree, step, Random(f"arm/{step}"), successes=step % 6)
        (node,) = choice.path
        weights[node] *= math.exp(0.1 * (step % 6 / 5) / chances[node] / 4)


@given(
    rewards=st.lists(st.floats(min_value=0, max_value=1e12), min_size=1, max_size=60),
    mix=st.floats(min_value=1e-6, max_value=1),
)
def test_exp3s_probabilities_sum_to_one_and_none_is_below_its_share(
    rewards: Sequence[float], mix: float
) -> None:
    tree = make_tree(*((0, reward) for reward in rewards))

    chances = Exp3(mix=mix).chances(tree)

    assert math.fsum(chances) == pytest.approx(1.0, abs=1e-12)
    assert min(chances) >= mix / len(rewards)


@pytest.mark.parametrize("mix", [1e-6, 0.2, 1.0])
def test_ten_thousand_maximal_rewards_overflow_nothing(mix: float) -> None:
    selector, tree = Exp3(mix=mix), Tree(40)
    rarest = Choice(path=(7,), probability=mix / 40)
    for _ in range(10_000):
        tree.backpropagate((7,), selector.reward(rarest, depth=0, successes=10, probes=10))

    chances = selector.chances(tree)

    assert all(map(math.isfinite, (*chances, *tree.rewards)))
    assert chances[7] == pytest.approx(1 - mix + mix / 40)
    assert chances[8] == pytest.approx(mix / 40)


def test_an_arm_that_always_pays_is_found_and_still_all_are_tried() -> None:
    selector, tree = Exp3(mix=0.2), Tree(10)
    drawn = []
    for step in range(1, 601):
        choice = selector.select(tree, step=step, rng=Random(f"pays/{step}"))
        successes = 5 if choice.path == (4,) else 0
        tree.backpropagate(
            choice.path, selector.reward(choice, depth=0, successes=successes, probes=5)
        )
        drawn.append(choice.path[0])

    assert drawn[-100:].count(4) > 60
    assert set(drawn[100:]) == set(range(10))


def test_exp3s_gain_divides_the_share_by_the_probability_of_that_choice_alone() -> None:
    selector = Exp3()

    rewards = [
        selector.reward(Choice(path=(3,), probability=chance), depth=9, successes=3, probes=4)
        for chance in (1.0, 0.5, 0.01)
    ]

    assert rewards == pytest.approx([0.75, 1.5, 75.0])


def test_ucbs_gain_is_the_plain_share_at_any_depth() -> None:
    choice = Choice(path=(3,), probability=0.25)

    assert Ucb().reward(choice, depth=9, successes=3, probes=4) == 0.75


def test_equal_bounds_go_to_the_lower_id() -> None:
    tree = make_tree((3, 1.5), (1, 0.75), (3, 1.5), (1, 0.75))

    assert Ucb(explore=0.0).select(tree, step=8, rng=Rolls()).path == (0,)
    assert Ucb(explore=0.5).select(tree, step=8, rng=Rolls()).path == (1,)
    assert Ucb().select(Tree(5), step=9, rng=Rolls()).path == (0,)


def test_equal_rewards_are_equally_likely() -> None:
    tree = make_tree((9, 4.0), (1, 4.0), (0, 4.0))

    assert len(set(Exp3().chances(tree))) == 1


@pytest.mark.parametrize(("roll", "node"), [(0.0, 0), (0.2499, 0), (0.25, 1), (0.999999, 3)])
def test_a_roll_falls_into_exactly_one_template(roll: float, node: int) -> None:
    assert Exp3().select(Tree(4), step=1, rng=Rolls(roll)).path == (node,)


def test_no_roll_falls_beyond_the_last_template() -> None:
    """The chances of seven thirds and the like do not sum to one in binary."""
    last = math.nextafter(1.0, 0.0)
    for count in range(1, 200):
        (node,) = Exp3(mix=1.0).select(Tree(count), step=1, rng=Rolls(last)).path
        assert node == count - 1


def test_a_choice_depends_on_the_tickets_stream_and_the_tree_alone() -> None:
    tree = make_tree((2, 3.0), (1, 0.0), (0, 0.0), (4, 9.0))

    choices = [Exp3().select(tree, step=step, rng=Random("a")) for step in (1, 2, 500)]

    assert len({(choice.path, choice.probability) for choice in choices}) == 1
    assert tree.visits == [2, 1, 0, 4]


def test_a_single_template_is_certain() -> None:
    assert Exp3().select(Tree(1), step=1, rng=Rolls(0.9)) == Choice(path=(0,), probability=1.0)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [(Exp3, {"mix": 0}), (Exp3, {"mix": 1.01}), (Exp3, {"mix": -0.1}), (Ucb, {"explore": -1})],
)
def test_a_setting_out_of_range_is_no_selector(
    kind: type[Ucb | Exp3], settings: dict[str, float]
) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, kind)
