"""Every search and selector through the command line: run, replayed, or refused by name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from processes import invoke

from hydrometer.engine.errors import ConfigInvalid
from hydrometer.engine.ice.ice_events import Mutated, Probed, Taken
from hydrometer.engine.ice.ice_plan import IcePlan
from hydrometer.engine.ice.ice_planning import build_ice_plan
from hydrometer.engine.identity.texts import load_texts
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.records.events import Event, Finished
from hydrometer.engine.records.recorded_run import RecordedRun
from hydrometer.engine.setup.config import parse_config

TARGET = """
[models.target]
provider = "simulated"
model = "sim-target"
vendor = "alibaba"
fact = "builtin:qwen"
"""
HELPER = """
[models.helper]
provider = "simulated"
model = "sim-helper"
"""
ICE = """
[ice]
targets = ["target"]
probes = 30
questions_per_visit = 5
"""


def make_config(lines: tuple[str, ...], *, helper: bool = True) -> str:
    asked = 'helper = "helper"\n' if helper else ""
    return TARGET + (HELPER if helper else "") + ICE + asked + "\n".join(lines)


def ice(folder: Path, *lines: str, helper: bool = True) -> subprocess.CompletedProcess[str]:
    config = folder / "audit.toml"
    config.write_text(make_config(lines, helper=helper))
    return invoke("ice", config, "--out", folder / "run", "--cache", folder / "cache", "-q")


def make(text: str) -> IcePlan:
    config = parse_config(text, "audit.toml", BUILT_IN)
    return build_ice_plan(config, "target", load_texts("builtin", "builtin", Path()))


def events_of(run: Path) -> list[Event]:
    return list(RecordedRun[IcePlan](run, BUILT_IN).events())


def refusal(*lines: str, helper: bool = True) -> str:
    """Return what is said of a config that cannot be planned."""
    with pytest.raises(ConfigInvalid) as raised:
        make(make_config(lines, helper=helper))
    assert "\n" not in str(raised.value)
    return str(raised.value)


SEARCHES = {
    "static": ('search = "static"',),
    "refine": ('search = "refine"',),
    "refine-exp3": ('search = "refine"', 'selector = "exp3"', 'admit = "all"'),
    "ucb": ('selector = "ucb"', "selector_settings = { explore = 0.2 }"),
    "exp3": ('selector = "exp3"', "selector_settings = { mix = 1 }"),
    "random": ('selector = "random"', 'mutators = ["expand"]'),
    "round-robin": ('selector = "round-robin"', 'mutators = ["expand", "shorten"]'),
}


@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_every_search_replays_byte_for_byte(tmp_path: Path, name: str) -> None:
    done = ice(tmp_path, *SEARCHES[name], helper=name != "static")
    replayed = invoke("replay", tmp_path / "run")

    assert done.returncode == 0, done.stderr
    assert replayed.returncode == 0, replayed.stderr
    assert "byte-identical" in replayed.stdout


@pytest.mark.parametrize("name", ["static", "refine"])
def test_a_search_that_was_cut_off_replays_to_there_and_goes_on(tmp_path: Path, name: str) -> None:
    assert ice(tmp_path, *SEARCHES[name]).returncode == 0
    events = tmp_path / "run" / "events.jsonl"
    before = events.read_bytes()
    events.write_bytes(before[: len(before) // 2])

    partly = invoke("replay", tmp_path / "run")
    resumed = invoke(
        "ice", tmp_path / "audit.toml", "--out", tmp_path / "run", "--cache", tmp_path / "cache",
        "-q", "--resume",
    )  # fmt: skip

    assert partly.returncode == 0, partly.stderr
    assert "the run was stopped there" in partly.stdout
    assert resumed.returncode == 0, resumed.stderr
    assert events.read_bytes() == before


def test_a_static_search_sends_nothing_to_a_helper_and_ends_when_all_is_asked(
    tmp_path: Path,
) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "One: {query}"}\n{"text": "Two: {query}"}\n')
    (tmp_path / "q.csv").write_text("text\nWho made you?\nWhere are you?\nWhat are you?\n")

    done = ice(
        tmp_path, 'search = "static"', 'templates = "t.jsonl"', 'questions = "q.csv"', helper=False
    )
    planned = invoke("plan", tmp_path / "audit.toml", "--cache", tmp_path / "cache")

    assert done.returncode == 0, done.stderr
    assert "every question was asked in every template" in done.stderr
    assert "the run ended after 6 of 30 probes" in done.stderr
    events = events_of(tmp_path / "run")
    asked = {(event.template, event.question) for event in events if isinstance(event, Probed)}
    assert len(asked) == 6
    assert events[-1] == Finished(reason="all-asked", tickets=2, units=6)
    assert b'"selector"' not in (tmp_path / "run" / "plan.json").read_bytes()
    assert planned.returncode == 0, planned.stderr
    assert "helper" not in planned.stdout


def test_a_static_search_may_name_a_helper_that_nobody_asks_but_there_has_to_be_one() -> None:
    planned = make(make_config(SEARCHES["static"]))
    unknown = refusal('search = "static"', 'helper = "hlper"', helper=False)

    assert planned.helper is None
    assert unknown.startswith("ice.helper: no model is named hlper; ")


def test_a_refining_search_asks_seeds_as_they_are_and_rewrites_them(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "One: {query}"}\n{"text": "Two: {query}"}\n')

    done = ice(tmp_path, 'search = "refine"', 'selector = "round-robin"', 'templates = "t.jsonl"')

    assert done.returncode == 0, done.stderr
    events = events_of(tmp_path / "run")
    opened = [event for event in events if isinstance(event, (Taken, Mutated))]
    assert [type(event) for event in opened] == [Taken, Taken, *[Mutated] * 4]
    assert [event.template for event in opened] == list(range(6))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (('selector = "exp33"',), "ice.selector: unknown selector exp33; did you mean exp3?"),
        (('mutators = ["rephras"]',), "ice.mutators: unknown mutator rephras; did you mean rephra"),
        (('judge = "lexcal"',), "no judge is named lexcal; did you mean lexical?"),
        (('search = "refin"',), "ice.search: must be one of mcts, static, refine"),
        (
            ('selector = "exp3"', "selector_settings = { mix = 0.0 }"),
            "ice.selector_settings.mix: expected float > 0.0",
        ),
        (
            ('selector = "exp3"', "selector_settings = { mix = 1.1 }"),
            "ice.selector_settings.mix: expected float <= 1.0",
        ),
        (
            ('selector = "ucb"', "selector_settings = { explor = 0.1 }"),
            "ice.selector_settings.explor: ucb has no such setting; did you mean explore?",
        ),
        (
            ("selector_settings = { stop_early = -0.1 }",),
            "ice.selector_settings.stop_early: expected float >= 0.0",
        ),
        (
            ('selector = "ucb"', "selector_settings = { explore = inf }"),
            "ice.selector_settings.explore must be a finite number, got inf",
        ),
        (("judge_settings = { strict = 1 }",), "ice.judge_settings.strict: lexical has no such"),
        (("mutator_settings = { rephrase = 1 }",), "ice.mutator_settings"),
        (
            ("mutator_settings = { rephrse = {} }",),
            "ice.mutator_settings.rephrse: not one of ice.mutators",
        ),
    ],
)
def test_a_wrong_strategy_or_setting_is_named_by_its_path(
    lines: tuple[str, ...], said: str
) -> None:
    assert said in refusal(*lines)


def test_a_setting_of_a_mutator_is_named_by_its_path() -> None:
    said = refusal("mutator_settings = { rephrase = { tone = 1 } }")

    assert "ice.mutator_settings.rephrase.tone" in said


def test_a_mutator_cannot_be_made_another_by_its_settings() -> None:
    said = refusal('mutator_settings = { rephrase = { name = "expand" } }')

    assert "ice.mutator_settings.rephrase.name" in said


MEANINGLESS = [
    ("static", 'selector = "ucb"', "ice.selector"),
    ("static", 'mutators = ["expand"]', "ice.mutators"),
    ("static", 'admit = "all"', "ice.admit"),
    ("refine", 'mutators = ["expand"]', "ice.mutators"),
    ("static", "selector_settings = { explore = 0.1 }", "ice.selector_settings"),
    ("static", "mutator_settings = { expand = {} }", "ice.mutator_settings"),
    ("refine", "mutator_settings = { expand = {} }", "ice.mutator_settings"),
]


@pytest.mark.parametrize(("search", "line", "setting"), MEANINGLESS)
def test_a_setting_that_means_nothing_to_the_search_is_refused(
    search: str, line: str, setting: str
) -> None:
    said = refusal(f'search = "{search}"', line)

    assert said.endswith(f'{setting} has no meaning with search = "{search}"')


@pytest.mark.parametrize("search", ["mcts", "refine"])
def test_a_search_that_rewrites_needs_a_helper(search: str) -> None:
    said = refusal(f'search = "{search}"', helper=False)

    assert "ice.helper is missing: name one of target" in said
