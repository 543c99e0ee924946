from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from hydrometer.engine.errors import ConfigInvalid
from hydrometer.engine.ice.ice_config import IceTable
from hydrometer.engine.ice.ice_plan import IcePlan, TreeSearch
from hydrometer.engine.ice.ice_planning import build_ice_plan
from hydrometer.engine.identity.texts import Texts, load_texts
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.setup.config import Config, parse_config
from hydrometer.engine.setup.files import builtin_text
from hydrometer.engine.setup.plan import decode_plan, encode_plan, first_difference, plan_digest
from hydrometer.engine.setup.registry import StrategyRegistry
from hydrometer.providers.types import Sampling
from hydrometer.strategies.search.mcts import MctsExplore

CONFIG = """
[models.qwen]
provider = "http"
model = "qwen2.5"
base_url = "{url}"
vendor = "alibaba"
fact = "builtin:qwen"
sampling = {{ temperature = 0, max_tokens = 300, extra = {{ b = 1, a = [2] }} }}
[models.helper]
provider = "simulated"
model = "sim-helper"
[ice]
targets = ["qwen"]
helper = "helper"
{more}
"""


def config(more: str = "", *, url: str = "http://localhost/v1", head: str = "") -> Config:
    return parse_config(head + CONFIG.format(url=url, more=more), "c.toml", BUILT_IN)


def texts_of(read: Config) -> Texts:
    ice = read.table(IceTable)
    return load_texts(ice.questions, ice.templates, Path())


def plan(more: str = "", **options: str) -> IcePlan:
    read = config(more, **options)
    return build_ice_plan(read, "qwen", texts_of(read))


def test_the_paper_preset_is_the_published_rule() -> None:
    made = plan('preset = "paper"')

    assert (made.probes, made.questions_per_visit, made.window) == (1000, 50, 1)
    assert isinstance(made.search, TreeSearch)
    assert StrategyRegistry().selector(made.search.selector) == MctsExplore(
        explore=0.5, stop_early=0.1, reward_floor=0.2
    )
    assert made.search.admit == "successful"
    assert made.target.system == "You are a helpful assistant."
    assert made.target.sampling.temperature == 0.0
    assert len(made.questions) == 50
    assert len(made.search.mutators) == 5


def test_every_default_of_a_preset_can_be_overridden() -> None:
    made = plan(
        'preset = "paper"\nprobes = 10\nquestions_per_visit = 5\nselector = "round-robin"\n'
        'admit = "all"\nmutators = ["shorten"]\nsampling.target.temperature = 0.5',
        head="[run]\nwindow = 3\n",
    )

    assert (made.probes, made.questions_per_visit, made.window) == (10, 5, 3)
    assert isinstance(made.search, TreeSearch)
    assert made.search.admit == "all"
    assert made.search.selector.name == "round-robin"
    assert [mutator.name for mutator in made.search.mutators] == ["shorten"]
    assert made.target.sampling.temperature == 0.5


def test_what_is_not_set_is_not_sent() -> None:
    helper = plan().helper

    assert helper is not None
    assert helper.sampling == Sampling()
    assert plan().target.sampling == Sampling(
        temperature=0.0, max_tokens=300, extra='{"a":[2],"b":1}'
    )


def test_addresses_limits_and_prices_are_not_in_the_plan() -> None:
    first = plan()
    second = plan(url="http://elsewhere:8080/v1", head="[run]\nbudget = { calls = 5 }\n")

    assert first == second
    assert b"localhost" not in encode_plan(first)


def test_a_plan_survives_its_file_and_digest() -> None:
    made = plan()

    assert decode_plan(encode_plan(made), "plan.json", BUILT_IN) == made
    assert plan_digest(decode_plan(encode_plan(made), "plan.json", BUILT_IN)) == plan_digest(made)


def test_the_first_difference_of_two_plans_is_named() -> None:
    made = plan()
    other = msgspec.structs.replace(made, questions=made.questions[1:])

    assert first_difference(other, made).startswith("questions is 49 entries (")


def test_the_targets_own_vendor_is_never_strict() -> None:
    assert plan('strict_vendors = ["alibaba", "openai"]').strict_vendors == ("openai",)
    with pytest.raises(ConfigInvalid, match="names no vendor besides the target's own"):
        plan('strict_vendors = ["alibaba"]')


def test_a_built_in_fact_is_looked_up() -> None:
    assert "Qwen" in plan().fact


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('helper = "helper"', 'helper = "helpr"', "ice.helper: no model is named helpr; did you"),
        ('helper = "helper"', "", "ice.helper is missing: name one of qwen, helper"),
        ('"builtin:qwen"', '"builtin:qwem"', "fact: no built-in fact qwem; did you mean qwen?"),
        ('"alibaba"', '"alibabba"', "unknown vendor alibabba; did you mean alibaba?"),
        ("temperature = 0,", "temperature = -1,", "models.qwen.sampling: temperature must be"),
        ("max_tokens = 300", "max_tokens = 0", "models.qwen.sampling: max_tokens must be"),
    ],
)  # fmt: skip
def test_a_name_that_does_not_resolve_is_an_error_at_its_path(
    old: str, new: str, said: str
) -> None:
    text = CONFIG.format(url="http://h/v1", more='judge = "helper"').replace(old, new)

    read = parse_config(text, "c.toml", BUILT_IN)

    with pytest.raises(ConfigInvalid) as caught:
        build_ice_plan(read, "qwen", texts_of(read))

    assert said in str(caught.value)


def test_a_judge_model_needs_the_fact() -> None:
    text = CONFIG.format(url="http://h/v1", more='judge = "helper"')
    read = parse_config(text.replace('fact = "builtin:qwen"\n', ""), "c.toml", BUILT_IN)

    with pytest.raises(ConfigInvalid, match=r"models\.qwen\.fact is missing: a judge model"):
        build_ice_plan(read, "qwen", texts_of(read))


def test_the_config_that_init_writes_is_a_config() -> None:
    read = parse_config(builtin_text("hydrometer.toml"), "hydrometer.toml", BUILT_IN)

    assert build_ice_plan(read, "target", texts_of(read)).probes == 400


def test_identical_models_share_an_identity_and_plantings_tell_simulated_ones_apart() -> None:
    read = parse_config(builtin_text("demo.toml"), "demo.toml", BUILT_IN)
    texts = texts_of(read)

    identities = {
        build_ice_plan(read, name, texts).target.identity for name in read.table(IceTable).targets
    }

    assert len(identities) == 3
