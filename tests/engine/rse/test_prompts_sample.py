"""Samples of prompts: in proportion, and the same whatever the order of the file."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from hydrometer.engine.rse.prompt_sets import Stratum, sample
from hydrometer.strategies.similarity.similarity_types import PromptTurns

SIZES = {("en", "code"): 50, ("en", "prose"): 30, ("zh", "code"): 19, ("zh", "prose"): 1}


def make(sizes: dict[Stratum, int]) -> list[PromptTurns]:
    """Return prompts of all cells, mixed."""
    prompts = [
        PromptTurns(
            id=f"{language}-{stratum}-{n}",
            turns=(f"{stratum} {n} in {language}",),
            language=language,
            stratum=stratum,
        )
        for (language, stratum), size in sizes.items()
        for n in range(size)
    ]
    Random(0).shuffle(prompts)
    return prompts


def cells(prompts: tuple[PromptTurns, ...]) -> dict[Stratum, int]:
    return dict(Counter((prompt.language, prompt.stratum) for prompt in prompts))


@pytest.mark.parametrize("limit", [None, 100, 101])
def test_no_limit_or_a_large_one_takes_all(limit: int | None) -> None:
    prompts = make(SIZES)

    assert sample(prompts, limit, 7) == tuple(prompts)


def test_a_sample_of_nothing_is_nothing() -> None:
    assert sample([], 5, 7) == ()


def test_cells_are_taken_in_proportion_and_small_ones_once() -> None:
    prompts = make(SIZES)

    assert cells(sample(prompts, 10, 7)) == {
        ("en", "code"): 4,
        ("en", "prose"): 3,
        ("zh", "code"): 2,
        ("zh", "prose"): 1,
    }
    assert cells(sample(prompts, 50, 7)) == {
        ("en", "code"): 25,
        ("en", "prose"): 15,
        ("zh", "code"): 9,
        ("zh", "prose"): 1,
    }


def test_each_cell_gives_one_while_the_limit_allows_and_then_the_largest_do() -> None:
    prompts = make(SIZES)

    assert cells(sample(prompts, 4, 7)) == dict.fromkeys(SIZES, 1)
    assert cells(sample(prompts, 3, 7)) == dict.fromkeys(list(SIZES)[:3], 1)
    assert cells(sample(prompts, 1, 7)) == {("en", "code"): 1}


def test_of_equal_cells_the_seed_chooses() -> None:
    prompts = make({("en", str(n)): 1 for n in range(40)})

    chosen = {tuple(sorted(cells(sample(prompts, 3, seed)))) for seed in range(20)}

    assert len(chosen) > 15


@pytest.mark.parametrize("limit", range(1, 101, 9))
def test_a_limit_is_met_exactly_and_nothing_is_taken_twice(limit: int) -> None:
    prompts = make(SIZES)

    taken = sample(prompts, limit, 7)

    assert len(taken) == len(set(taken)) == limit


def test_no_cell_is_asked_for_more_than_it_has() -> None:
    sizes = {("en", str(n)): size for n, size in enumerate((1, 1, 2, 2, 3, 5, 90))}
    prompts = make(sizes)

    for limit in range(1, len(prompts)):
        taken = sample(prompts, limit, 7)
        assert len(taken) == limit
        assert all(count <= sizes[cell] for cell, count in cells(taken).items())


def test_a_larger_limit_only_adds() -> None:
    """What was paid for at the smaller limit is in the cache, and stays of use."""
    prompts = make(SIZES)

    samples = [set(sample(prompts, limit, 7)) for limit in range(1, 101)]

    assert all(less < more for less, more in pairwise(samples))


def test_the_sample_stands_in_the_order_of_the_file() -> None:
    prompts = make(SIZES)

    places = [prompts.index(prompt) for prompt in sample(prompts, 30, 7)]

    assert places == sorted(places)


def test_another_order_of_the_file_gives_the_same_prompts() -> None:
    prompts = make(SIZES)
    chosen = set(sample(prompts, 30, 7))

    for seed in range(5):
        Random(seed).shuffle(prompts)
        assert set(sample(prompts, 30, 7)) == chosen


def test_other_ids_give_the_same_prompts() -> None:
    """Published ids are often but the number of the row."""
    prompts = make(SIZES)
    renamed = [
        PromptTurns(id=str(n), turns=p.turns, language=p.language, stratum=p.stratum)
        for n, p in enumerate(prompts)
    ]

    before, after = sample(prompts, 30, 7), sample(renamed, 30, 7)

    assert [prompt.turns for prompt in before] == [prompt.turns for prompt in after]


def test_another_seed_takes_others() -> None:
    prompts = make(SIZES)

    assert len({sample(prompts, 30, seed) for seed in range(20)}) == 20


def test_every_prompt_of_a_cell_has_the_same_chance() -> None:
    prompts = make({("en", ""): 10})

    taken = Counter(prompt.id for seed in range(1000) for prompt in sample(prompts, 3, seed))

    assert all(240 < count < 360 for count in taken.values())  # 300, give or take four errors
    assert len(taken) == 10


def test_the_sample_of_a_seed_is_pinned() -> None:
    """A change here gives every plan other prompts: it is breaking, and the changelog says so."""
    prompts = [PromptTurns(id=str(n), turns=(f"prompt {n}",)) for n in range(12)]

    assert [prompt.id for prompt in sample(prompts, 4, 7)] == ["0", "3", "9", "10"]


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match=f"^limit must be at least 1, got {limit}$"):
        sample(make(SIZES), limit, 7)
