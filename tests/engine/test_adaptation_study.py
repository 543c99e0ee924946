"""Does the search adapt? Twenty seeds each; `make study` prints the tables of docs/search.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from adaptation import ABLATIONS, METHODS, Method, Setting, compare, positives

SEEDS = range(20)
ROUND_ROBIN = "round-robin, whole question sets"

WEAK_SPOTS = Setting()
NOTHING_WEAK = Setting(weak=0)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


async def table(
    methods: Mapping[str, Callable[[], Method]], setting: Setting, *, seeds: range = SEEDS
) -> dict[str, list[int]]:
    """Run every method on every seed, and print what a person wants to see."""
    counts = {
        name: [await positives(make(), setting, seed) for seed in seeds]
        for name, make in methods.items()
    }
    print(f"\n{setting}, {len(seeds)} seeds")
    first = next(iter(counts.values()))
    for name, found in counts.items():
        all_, ratio = compare(found), sum(found) / sum(first)
        print(f"| {name} | {all_.mean:.0f} | {all_.low:.0f}–{all_.high:.0f} | {ratio:.2f} |")
    return counts


async def test_standard_finds_twice_what_round_robin_finds() -> None:
    counts = await table(METHODS, WEAK_SPOTS)

    gains = [a - 2 * b for a, b in zip(counts["standard"], counts[ROUND_ROBIN], strict=True)]
    assert compare(gains).low > 0


async def test_standard_is_no_worse_where_nothing_is_weak() -> None:
    await table(METHODS, NOTHING_WEAK)
    both = {name: METHODS[name] for name in (ROUND_ROBIN, "standard")}
    counts = await table(both, NOTHING_WEAK, seeds=range(100, 160))  # the difference is 0

    gains = [a - b for a, b in zip(counts["standard"], counts[ROUND_ROBIN], strict=True)]
    found = compare(gains)
    print(f"standard less round-robin: {found.mean:.1f} ({found.low:.1f} to {found.high:.1f})")
    assert found.high > 0
    assert found.low > -0.1 * compare(counts[ROUND_ROBIN]).mean


async def test_each_part_of_standard_earns_its_place() -> None:
    counts = await table(ABLATIONS, WEAK_SPOTS)

    standard = compare(counts["standard"])
    assert compare(counts["without a prior"]).high < standard.low
    assert compare(counts["50 questions a visit"]).high < standard.low


async def test_standard_adapts_also_where_weak_spots_are_fainter_or_rarer() -> None:
    for setting in (Setting(rate=0.3), Setting(weak=2), Setting(weak=20), Setting(probes=400)):
        methods = {name: METHODS[name] for name in (ROUND_ROBIN, "standard")}
        counts = await table(methods, setting)

        gains = [a - b for a, b in zip(counts["standard"], counts[ROUND_ROBIN], strict=True)]
        assert compare(gains).low > 0
