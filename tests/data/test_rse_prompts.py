"""The prompt sets we ship keep the rules of data/README.md, and their mathematics is right."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from importlib.resources import files
from itertools import combinations, permutations, product
from math import comb, hypot, isclose, prod, sqrt
from typing import Literal

import msgspec
import pytest

from hydrometer.engine.identity.texts import parse_vendors
from hydrometer.engine.rse.prompt_files import parse_prompts
from hydrometer.engine.rse.prompt_sets import LoadedPrompts, sample
from hydrometer.engine.rse.rse_config import BUILTIN_SETS
from hydrometer.engine.setup.languages import language_of

CATEGORIES = (
    "advising", "code", "comparing", "data", "editing", "explaining", "planning", "reasoning",
    "translating", "writing",
)  # fmt: skip
# Asks in English for the translation of a Chinese sentence.
MIXED = ("general-translating-en-1",)


class General(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    language: Literal["en", "zh"]
    category: str
    prompt: str


class Math(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    language: Literal["en", "zh"]
    source: Literal["hydrometer"]
    problem: str
    solution: str


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    who: Literal["human"] = msgspec.field(name="from")
    value: str


class Chat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    language: Literal["en", "zh"]
    conversations: tuple[Said, ...]


def read(name: str) -> bytes:
    return files("hydrometer.data").joinpath(name).read_bytes()


def read_set(name: str) -> LoadedPrompts:
    return parse_prompts(read(BUILTIN_SETS[name]), name=name, where=name)


def read_math() -> dict[str, Math]:
    rows = [
        msgspec.json.decode(line, type=Math) for line in read(BUILTIN_SETS["math"]).splitlines()
    ]
    return {row.id.removeprefix("math-"): row for row in rows}


@pytest.mark.parametrize(("name", "shape"), [("general", General), ("math", Math), ("chat", Chat)])
def test_lines_are_written_with_the_same_fields_in_the_same_order(
    name: str, shape: type[msgspec.Struct]
) -> None:
    lines = read(BUILTIN_SETS[name]).splitlines()
    raw = [msgspec.json.decode(line, type=dict[str, msgspec.Raw]) for line in lines]

    assert {tuple(row) for row in raw} == {shape.__struct_encode_fields__}
    assert all(isinstance(msgspec.json.decode(line, type=shape), shape) for line in lines)


@pytest.mark.parametrize("name", BUILTIN_SETS)
def test_each_set_has_twenty_prompts_in_each_language(name: str) -> None:
    prompts = read_set(name).prompts.prompts

    assert Counter(prompt.language for prompt in prompts) == {"en": 20, "zh": 20}


@pytest.mark.parametrize("name", BUILTIN_SETS)
def test_nothing_in_a_set_is_repeated_empty_or_long(name: str) -> None:
    reading = read_set(name)
    turns = [turn for prompt in reading.prompts.prompts for turn in prompt.turns]

    assert reading.findings == ()
    assert [turn for turn in turns if turn != turn.strip() or not 8 <= len(turn) <= 900] == []
    assert len({" ".join(turn.casefold().split()) for turn in turns}) == len(turns)
    assert len({prompt.id for prompt in reading.prompts.prompts}) == reading.rows


def test_ids_differ_between_the_sets() -> None:
    ids = [prompt.id for name in BUILTIN_SETS for prompt in read_set(name).prompts.prompts]

    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", BUILTIN_SETS)
def test_ids_tell_the_set_and_the_language(name: str) -> None:
    wrong = [
        prompt.id
        for prompt in read_set(name).prompts.prompts
        if not re.fullmatch(rf"{name}-[a-z0-9]+-{prompt.language}-[1-9]\d*", prompt.id)
    ]

    assert wrong == []


@pytest.mark.parametrize("name", BUILTIN_SETS)
def test_a_prompt_is_in_the_language_that_it_declares(name: str) -> None:
    wrong = [
        prompt.id
        for prompt in read_set(name).prompts.prompts
        if prompt.id not in MIXED
        for turn in prompt.turns
        if language_of(turn) != prompt.language
    ]

    assert wrong == []


@pytest.mark.parametrize("name", BUILTIN_SETS)
def test_no_prompt_names_a_vendor_or_a_product_of_one(name: str) -> None:
    """A claim of identity in an answer should be the model's own idea."""
    vendors = parse_vendors(read("vendors.toml").decode(), "vendors.toml")
    marks = {mark for vendor in vendors for mark in vendor.marks}
    text = "\n".join(
        turn for prompt in read_set(name).prompts.prompts for turn in prompt.turns
    ).lower()

    assert sorted(mark for mark in marks if mark in text) == []


def test_general_prompts_have_ten_categories_with_two_in_each_language() -> None:
    cells = Counter(
        (prompt.language, prompt.stratum) for prompt in read_set("general").prompts.prompts
    )

    assert cells == {(language, name): 2 for language in ("en", "zh") for name in CATEGORIES}


def test_a_sample_of_the_general_prompts_takes_from_every_category() -> None:
    prompts = read_set("general").prompts.prompts

    cells = Counter((prompt.language, prompt.stratum) for prompt in sample(prompts, 20, 7))

    assert set(cells.values()) == {1}
    assert len(cells) == 20


def test_conversations_have_one_to_four_turns_five_of_each_in_each_language() -> None:
    lengths = Counter(
        (prompt.language, len(prompt.turns)) for prompt in read_set("chat").prompts.prompts
    )

    assert lengths == {(language, n): 5 for language in ("en", "zh") for n in (1, 2, 3, 4)}


@cache
def green_first(red: int, blue: int, green: int) -> Fraction:
    if green == 0 or red == 0 or blue == 0:
        return Fraction(green == 0)
    after = (red - 1, blue, green), (red, blue - 1, green), (red, blue, green - 1)
    chances = zip((red, blue, green), after, strict=True)
    return sum((n * green_first(*left) for n, left in chances), Fraction()) / (red + blue + green)


@cache
def loses(stones: int) -> bool:
    return not any(loses(stones - taken) for taken in (1, 3, 4) if taken <= stones)


def tilings(free: frozenset[tuple[int, int]]) -> int:
    if not free:
        return 1
    x, y = min(free)
    shapes = ({(0, 0), (1, 0)}, {(0, 0), (0, 1)}, {(0, 0), (1, 0), (0, 1), (1, 1)})
    tiles = [frozenset((x + dx, y + dy) for dx, dy in shape) for shape in shapes]
    return sum(tilings(free - tile) for tile in tiles if tile <= free)


def inside(x: int, y: int) -> bool:
    corners = ((0, 0), (30, 12), (9, 40))
    sides = zip(corners, corners[1:] + corners[:1], strict=True)
    return all((bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0 for (ax, ay), (bx, by) in sides)


def last_digits(n: int) -> int:
    a, b = 2, 5
    for _ in range(n):
        a, b = b, (5 * b - 6 * a) % 100
    return a


def product_of_terms(n: int) -> Fraction:
    term, whole = Fraction(2), Fraction(1)
    for _ in range(n):
        term, whole = (term - 1) / (term + 1), whole * term
    return whole


def wins(games: tuple[bool, ...]) -> Fraction:
    chance = prod((Fraction(3, 5) if won else Fraction(2, 5) for won in games), start=Fraction(1))
    return chance if sum(games) >= 3 else Fraction()


def share(holds: list[bool]) -> Fraction:
    return Fraction(sum(holds), len(holds))


# Each found by another way than the solution's: mostly by trying all cases.
ANSWERS: dict[str, Callable[[], float | Fraction]] = {
    "numbers-en-1": lambda: sum(n for n in range(1001) if (n % 7, n % 11, n % 13) == (3, 5, 8)),
    "numbers-en-2": lambda: sum((n * n + n + 1) % 7 == 0 for n in range(1, 501)),
    "numbers-en-3": lambda: sum(
        20 * (a + b + 1) == a * b for a in range(1, 100) for b in range(a, 500)
    ),
    "counting-en-1": lambda: sum(
        "rr" not in row and "ow" not in row for row in map("".join, product("rwo", repeat=9))
    ),
    "counting-en-2": lambda: sum(sum(held) == 12 for held in product(range(1, 6), repeat=4)),
    "counting-en-3": lambda: sum(
        int("".join(digits)) % 4 == 0 for digits in combinations("123456789", 5)
    ),
    "geometry-en-1": lambda: Fraction(8 * 52, 4 * 24),  # abc/4K of (0,0), (8,0), (4,6)
    "geometry-en-2": lambda: sqrt(12**2 / 2),
    "geometry-en-3": lambda: sum(inside(x, y) for x in range(31) for y in range(41)),
    "probability-en-1": lambda: share(
        [a + b == 8 for a, b in product(range(1, 7), repeat=2) if a + b in (4, 8)]
    ),
    "probability-en-2": lambda: green_first(5, 4, 3),
    "probability-en-3": lambda: sum(
        sum(comb(n, heads) for heads in range(n + 1) if min(heads, n - heads) < 2) / 2**n
        for n in range(80)
    ),
    "algebra-en-1": lambda: ((5 + sqrt(5)) / 2) ** 5 + ((5 - sqrt(5)) / 2) ** 5,
    "algebra-en-2": lambda: sum(
        3**k * prod(Fraction(7 - j, k - j) for j in range(5) if j != k) for k in range(5)
    ),
    "algebra-en-3": lambda: sum(
        x for x in (Fraction(n, 6) for n in range(-99, 99)) if abs(x - 2) + abs(2 * x + 3) == 11
    ),
    "sequences-en-1": lambda: last_digits(100),
    "sequences-en-2": lambda: sum(Fraction(2 * k + 1, (k * (k + 1)) ** 2) for k in range(1, 15)),
    "games-en-1": lambda: sum(loses(stones) for stones in range(1, 101)),
    "clocks-en-1": lambda: sum(half % 720 in (120, 600) for half in range(360 * 11)),
    "extrema-en-1": lambda: max(x * (240 - 2 * x) * (150 - 2 * x) for x in range(75)) / 1000,
    "numbers-zh-1": lambda: 7**2026 % 1000,
    "numbers-zh-2": lambda: sum(
        sum(n % d == 0 for d in range(1, n + 1)) == 6 for n in range(1, 301, 2)
    ),
    "numbers-zh-3": lambda: sum(x * x - y * y == 360 for x in range(1, 182) for y in range(1, x)),
    "counting-zh-1": lambda: sum(
        0 < row.index("甲") < 5 and abs(row.index("乙") - row.index("丙")) > 1
        for row in permutations("甲乙丙丁戊己")
    ),
    "counting-zh-2": lambda: tilings(frozenset(product(range(8), range(2)))),
    "counting-zh-3": lambda: sum(
        digits[0] != "0" and int("".join(digits)) % 3 == 0 for digits in permutations("012345", 4)
    ),
    "geometry-zh-1": lambda: hypot(6 - 3, 4.5 - 3),
    "geometry-zh-2": lambda: 6**3 - Fraction(3**3, 6),
    "geometry-zh-3": lambda: min(hypot(n / 1000, (n / 1000) ** 2 - 3) for n in range(3000)),
    "probability-zh-1": lambda: share([a + b > c for a, b, c in combinations(range(1, 11), 3)]),
    "probability-zh-2": lambda: sum(wins(games) for games in product((True, False), repeat=5)),
    "probability-zh-3": lambda: share(
        [len({shoe // 2 for shoe in taken}) == 3 for taken in combinations(range(8), 4)]
    ),
    "algebra-zh-1": lambda: 2**4 + (1 + sqrt(2)) ** 4 + (1 - sqrt(2)) ** 4,
    "algebra-zh-2": lambda: sum(
        x for x in range(-9, 9) if 2.0 ** (2 * x + 1) - 9 * 2.0**x + 4 == 0
    ),
    "algebra-zh-3": lambda: 12 / 2 - 2 / 2,  # f(x) = 12/x - x/2
    "sequences-zh-1": lambda: product_of_terms(2026),
    "sequences-zh-2": lambda: sum(Fraction(1, (2 * k + 2) * (2 * k + 4)) for k in range(1, 11)),
    "mixtures-zh-1": lambda: sum(x for x in range(21) if 3 * (20 - x) ** 2 == 4 * 192),
    "motion-zh-1": lambda: sum(d for d in range(71, 999) if 3 * 70 - d == 50),
    "zeros-zh-1": lambda: sum(-1 - 3 + 9 + k > 0 > 27 - 27 - 27 + k for k in range(-99, 99)),
}


def value_of(latex: str) -> float:
    """Return the number that a boxed answer stands for."""
    part = r"(?:\{((?:[^{}]|\{[^{}]*\})+)\}|(\d))"
    plain = re.sub(rf"\\frac{part}{part}", r"(\1\2)/(\3\4)", latex)
    plain = re.sub(rf"(\d*)\\sqrt{part}", lambda m: f"{m[1] or 1}*({m[2] or m[3]})**.5", plain)
    return float(eval(plain, {"__builtins__": {}}))


def test_every_problem_has_an_answer_of_its_own_here() -> None:
    assert list(ANSWERS) == list(read_math())


@pytest.mark.parametrize("key", ANSWERS)
def test_the_boxed_answer_of_a_problem_is_right(key: str) -> None:
    (boxed,) = re.findall(r"\\boxed\{(.+)\}\$", read_math()[key].solution)

    assert isclose(value_of(boxed), ANSWERS[key](), rel_tol=1e-6)
