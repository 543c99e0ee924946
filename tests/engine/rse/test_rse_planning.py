from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from hydrometer.engine.errors import ConfigInvalid, FileInvalid, InputInvalid
from hydrometer.engine.measurement import PlanRequest
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.rse.prompt_loading import load_prompts
from hydrometer.engine.rse.rse_config import RseTable
from hydrometer.engine.rse.rse_plan import RsePlan
from hydrometer.engine.rse.rse_planning import build_rse_plans, plan_pairs, prompts_changed
from hydrometer.engine.setup.config import Config, parse_config
from hydrometer.engine.setup.plan import decode_plan, encode_plan, first_difference
from hydrometer.engine.setup.registry import StrategyRegistry
from hydrometer.scoring.means import OVER_SETS
from hydrometer.strategies.similarity.similarity_judge import VERSION
from hydrometer.strategies.similarity.similarity_types import PromptSet, Weights

MODELS = """
[models.{name}]
provider = "simulated"
model = "sim-writer-{name}"
options = {{ planting = {{ family = 1 }} }}
sampling = {{ temperature = 0.7 }}
"""
NAMES = ("one", "two", "three", "judge")
HEAD = "".join(MODELS.format(name=name) for name in NAMES)


def read(rse: str = "", *, head: str = "", models: str = HEAD) -> Config:
    settings = {"targets": '["one"]', "reference": '"two"', "judge": '"judge"'}
    given = [line.partition(" =")[0] for line in rse.splitlines()]
    usual = [f"{name} = {value}" for name, value in settings.items() if name not in given]
    return parse_config("\n".join((head, models, "[rse]", *usual, rse)), "c.toml", BUILT_IN)


def plans(rse: str = "", folder: Path = Path(), **more: str) -> tuple[RsePlan, ...]:
    config = read(rse, **more)
    sets = tuple(loaded.prompts for loaded in load_prompts(config, folder))
    return plan_pairs(config, config.table(RseTable).targets, sets)


def refusal(rse: str, *, models: str = HEAD) -> str:
    with pytest.raises(InputInvalid) as caught:
        plans(rse, models=models)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def request(
    config: Config,
    *targets: str,
    folder: Path = Path(),
    say: Callable[[str], None] = lambda _: None,
) -> PlanRequest:
    return PlanRequest(
        config=config, targets=targets, folder=folder, registry=StrategyRegistry(), say=say
    )


def names(rse: str = "") -> list[str]:
    return [named.name for named in build_rse_plans(request(read(rse)))]


def remarks(rse: str = "", folder: Path = Path(), **more: str) -> list[str]:
    said: list[str] = []
    build_rse_plans(request(read(rse, **more), folder=folder, say=said.append))
    return said


def pairs(made: tuple[RsePlan, ...]) -> list[tuple[str, str]]:
    return [(plan.target.name, plan.reference.name) for plan in made]


def test_the_defaults_are_both_orders_one_draw_and_the_ceiling_on_the_builtin_sets() -> None:
    (made,) = plans()

    assert pairs((made,)) == [("one", "two")]
    assert (made.orders, made.judge_draws, made.ceiling, made.structured) == (
        ("reference-first", "target-first"), 1, True, False,
    )  # fmt: skip
    assert made.weights == Weights()
    assert made.rubric_version == VERSION
    assert [prompts.name for prompts in made.sets] == ["general", "math", "chat"]
    assert made.size == sum(len(prompts.prompts) for prompts in made.sets) >= 90
    assert list(made.models) == ["target", "reference", "judge"]


def test_a_plan_is_read_back_as_it_was() -> None:
    (made,) = plans('orders = "reference-first"\njudge_draws = 3\nstructured = true')

    assert decode_plan(encode_plan(made), "plan.json", BUILT_IN) == made
    assert made.orders == ("reference-first",)
    assert made.judge_draws == 3


def test_a_plan_without_prompts_or_of_another_kind_is_refused() -> None:
    (made,) = plans()
    empty = encode_plan(msgspec.structs.replace(made, sets=()))
    other = encode_plan(made).replace(b'"kind": "rse"', b'"kind": "ice"')

    with pytest.raises(FileInvalid, match=r"^plan.json has no prompts$"):
        decode_plan(empty, "plan.json", BUILT_IN)
    with pytest.raises(FileInvalid, match=r"^plan.json is not a plan of this version: "):
        decode_plan(other, "plan.json", BUILT_IN)


def test_the_first_difference_of_two_plans_is_said_short() -> None:
    (one,), (two,) = plans(), plans("judge_draws = 2")
    (cold,) = plans("[rse.sampling.reference]\ntemperature = 0.0")

    assert first_difference(one, two) == "judge_draws is 1 there and 2 here"
    assert first_difference(one, cold) == (
        "reference.sampling.temperature is 0.7 there and 0.0 here"
    )


def test_every_target_is_compared_with_the_reference_once() -> None:
    assert pairs(plans('targets = ["one", "three", "one"]')) == [("one", "two"), ("three", "two")]


def test_every_pair_is_planned_once_with_the_later_as_its_reference() -> None:
    made = plans('targets = ["one", "two", "three", "two"]\nreference = "*"')

    assert pairs(made) == [("one", "two"), ("one", "three"), ("two", "three")]
    assert made[0].reference == made[2].target  # a model answers alike in either role
    assert names('targets = ["one", "two", "three"]\nreference = "*"') == [
        "one--two",
        "one--three",
        "two--three",
    ]


def test_in_all_pairs_a_model_answers_as_a_target_in_either_role() -> None:
    rse = 'targets = ["one", "two"]\nreference = "*"\n[rse.sampling.target]\ntemperature = 0.2'

    (made,) = plans(rse)

    assert made.target.sampling.temperature == made.reference.sampling.temperature == 0.2


def test_a_run_is_called_as_its_target_where_there_is_one_reference() -> None:
    assert names() == ["one"]


def test_roles_have_sampling_of_their_own() -> None:
    (made,) = plans(
        "[rse.sampling.target]\ntemperature = 0.1\n[rse.sampling.reference]\ntemperature = 0.2\n"
        "[rse.sampling.judge]\nmax_tokens = 99"
    )

    assert made.target.sampling.temperature == 0.1
    assert made.reference.sampling.temperature == 0.2
    assert (made.judge.sampling.temperature, made.judge.sampling.max_tokens) == (0.7, 99)


def test_a_structured_judge_is_sent_the_schema_beside_what_the_user_sends() -> None:
    extra = "[rse.sampling.judge]\nextra = { top_k = 1, logprobs = true }"
    (plain,), (made,) = plans(extra), plans("structured = true\n" + extra)

    sent = json.loads(made.judge.sampling.extra)
    assert sent.pop("response_format")["type"] == "json_schema"
    assert sent == json.loads(plain.judge.sampling.extra) == {"top_k": 1, "logprobs": True}


@pytest.mark.parametrize(
    ("rse", "said"),
    [
        ('reference = ""', 'rse.reference is missing: name a model, or "*" for every pair'),
        ('reference = "tow"', 'rse.reference: no model is named tow; did you mean two?'),
        ('targets = ["oen"]', "rse.targets: no model is named oen"),
        ('judge = ""', "rse.judge is missing: name one of one, two, three, judge"),
        ('judge = "juge"', "rse.judge: no model is named juge"),
        (
            'reference = "*"',
            'rse.reference = "*" compares targets with each other: name two',
        ),
        (
            'targets = ["one", "two"]',
            "rse.targets: two is also the reference, and would be compared with itself",
        ),
        (
            'targets = ["one", "two"]\nreference = "*"\n'
            "[rse.sampling.reference]\ntemperature = 0.0",
            'rse.sampling.reference has no meaning with reference = "*"',
        ),
        ('orders = "either"', "rse.orders: must be one of both, reference-first"),
        ("judge_draws = 0", "rse.judge_draws must be at least 1, got 0"),
        ("weights = { style = -1 }", "rse.weights: weights.style must be finite and at least 0"),
        ("weights = { style = inf }", "rse.weights.style must be a finite number"),
        ("weights = { style = 0, logic = 0, content = 0 }", "rse.weights: weights must not all"),
        ("weights = { stile = 1 }", "rse.weights.stile: unknown key"),
        ('weights = { style = "much" }', "rse.weights.style: expected float, got str"),
        ("prompts = []", "rse.prompts is empty: name at least one set"),
        ("prompts = [{ name = 'genral' }]", "no set of that name is built in"),
        ("prompts = [{ name = 'chat' }, { name = 'chat' }]", "two sets are called chat"),
        ("prompts = [{ name = 'chat', limit = 0 }]", "rse.prompts[0].limit must be at least 1"),
        ("prompts = [{ nam = 'chat' }]", "rse.prompts[0].nam: unknown key; did you mean name?"),
        (
            "prompts = [{ name = 'math' }, { name = 'chat', max_turn = 2 }]",
            "c.toml: rse.prompts[1].max_turn: unknown key; did you mean max_turns?",
        ),
        ("prompts = ['chat']", "rse.prompts[0]: expected object, got str"),
        ("prompts = [{ name = 'x', path = 'none.jsonl' }]", "none.jsonl cannot be read: no such"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_by_the_setting_s_path(rse: str, said: str) -> None:
    assert said.lower() in refusal(rse).lower()


def test_prompts_that_changed_are_said_in_words() -> None:
    (one,) = plans()
    general, math, chat = one.sets
    fewer = msgspec.structs.replace(math, prompts=math.prompts[1:])
    others = msgspec.structs.replace(math, prompts=(*math.prompts[1:], chat.prompts[0]))

    def changed(*sets: PromptSet, **more: object) -> str:
        return prompts_changed(one, msgspec.structs.replace(one, sets=sets, **more))

    count = len(math.prompts)
    assert changed(general, fewer, chat) == (
        f"the set math of rse.prompts has changed: {count} prompts there, {count - 1} here"
    )
    assert changed(general, others, chat) == (
        f"the set math of rse.prompts has changed: {count} prompts there, as many here, but others"
    )
    assert changed(chat) == "rse.prompts names general, math, chat there and chat here"
    assert changed(general, fewer, chat, seed=8) == ""  # which the seed explains
    assert changed(general, math, chat) == ""


def test_a_set_cannot_be_called_as_the_mean_over_all_sets(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"prompt": "Hello?"}\n')

    with pytest.raises(ConfigInvalid, match=f"^rse.prompts: a set cannot be called {OVER_SETS}, "):
        plans('prompts = [{ name = "mean", path = "p.jsonl" }]', tmp_path)


def test_one_model_under_two_names_is_not_compared_with_itself() -> None:
    twin = MODELS.format(name="one").replace("[models.one]", "[models.twin]")

    assert refusal('reference = "twin"', models=HEAD + twin) == (
        "rse: models.one and models.twin are one model with one sampling, and would be compared "
        "with itself; rse.ceiling does that"
    )
    # At another temperature, or of another revision, it is another question.
    cooler = twin.replace("0.7", "0.1")
    later = twin.replace("options", 'revision = "b"\noptions')
    assert len(plans('reference = "twin"', models=HEAD + cooler)) == 1
    assert len(plans('reference = "twin"', models=HEAD + later)) == 1


def write_prompts(folder: Path, count: int = 40) -> None:
    rows = [{"prompt": f"Question {n}?", "category": "ab"[n % 2]} for n in range(count)]
    (folder / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def sampled(folder: Path, limit: int, seed: int) -> PromptSet:
    rse = f'prompts = [{{ name = "own", path = "p.jsonl", limit = {limit} }}, {{ name = "math" }}]'
    (made,) = plans(rse, folder, head=f"[run]\nseed = {seed}")
    assert [prompts.name for prompts in made.sets] == ["own", "math"]
    return made.sets[0]


def test_prompts_of_a_file_are_sampled_by_the_run_s_seed_and_kept_in_order(tmp_path: Path) -> None:
    write_prompts(tmp_path)

    few, more, other = (sampled(tmp_path, *how) for how in ((6, 1), (12, 1), (6, 2)))

    assert (len(few.prompts), len(more.prompts)) == (6, 12)
    assert set(few.prompts) < set(more.prompts)
    assert [prompt.stratum for prompt in few.prompts].count("a") == 3
    assert few != other
    assert sampled(tmp_path, 1000, 1) == sampled(tmp_path, 40, 2)


def test_what_was_odd_about_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"prompt": "A?"}\n{"prompt": "A?"}\n{"prompt": " "}\n')

    assert remarks('prompts = [{ name = "own", path = "p.jsonl" }]', tmp_path) == [
        "prompts own: 1 row left out, without text (line 3)",
        "prompts own: 1 row left out, with the turns of an earlier prompt (line 2)",
    ]


def vendors(**named: str) -> str:
    """Return the models with the vendors that are named."""
    parts = []
    for name in NAMES:
        part = MODELS.format(name=name)
        vendor = named.get(name)
        parts.append(part + f'vendor = "{vendor}"\n' if vendor else part)
    return "".join(parts)


def test_a_judge_of_the_reference_s_vendor_is_remarked() -> None:
    same = vendors(two="openai", judge="openai")

    assert remarks(models=same) == [
        "judge judge and reference two are both of openai: a judge may prefer what its own family "
        "writes"
    ]
    assert remarks(models=vendors(one="openai", judge="google")) == []
    assert remarks(models=vendors()) == []


def test_a_judge_of_a_target_s_vendor_is_remarked() -> None:
    rse = 'targets = ["one", "three"]'

    assert remarks(rse, models=vendors(three="openai", judge="openai")) == [
        "judge judge and target three are both of openai: a judge may prefer what its own family "
        "writes"
    ]


def test_vendors_are_the_same_in_capitals() -> None:
    assert remarks(models=vendors(two="OpenAI", judge="openai")) == [
        "judge judge and reference two are both of OpenAI: a judge may prefer what its own family "
        "writes"
    ]


@pytest.mark.parametrize(
    ("rse", "what"),
    [
        ('judge = "two"', "judge two and reference two"),
        ('judge = "one"', "judge one and target one"),
        ('judge = "twin"', "judge twin and reference two"),
        ('judge = "one"\ntargets = ["one", "two"]\nreference = "*"', "judge one and target one"),
    ],
)
def test_a_judge_that_grades_its_own_answers_is_remarked_whatever_its_vendor(
    rse: str, what: str
) -> None:
    twin = MODELS.format(name="two").replace("[models.two]", "[models.twin]")

    assert remarks(rse, models=HEAD + twin) == [
        f"{what} are one model: a judge may prefer what it writes itself"
    ]


def test_of_all_pairs_every_model_of_the_judge_s_vendor_is_remarked_once() -> None:
    rse = 'targets = ["one", "two", "three"]\nreference = "*"'

    said = remarks(rse, models=vendors(one="google", three="google", judge="google"))

    assert sorted(said) == [
        f"judge judge and target {name} are both of google: a judge may prefer what its own "
        "family writes"
        for name in ("one", "three")
    ]


def test_no_target_at_all_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(InputInvalid, match=r"^rse.targets is empty: name a model to compare"):
        remarks("targets = []")


def test_a_target_of_the_command_line_replaces_those_of_the_config() -> None:
    made = build_rse_plans(request(read(), "three"))

    assert pairs(tuple(named.plan for named in made)) == [("three", "two")]


def test_names_that_give_two_pairs_one_folder_are_refused() -> None:
    odd = ("a", "b--c", "a--b", "c")
    models = "".join(MODELS.format(name=name) for name in (*odd, "judge"))

    with pytest.raises(InputInvalid, match="two pairs would be called a--b--c"):
        remarks(f"targets = {list(odd)}\nreference = '*'", models=models)
