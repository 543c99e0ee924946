"""The simulated models do what their planting says."""

from __future__ import annotations

import csv
import re
import tomllib
from importlib.resources import files

import pytest

from hydrometer.providers.simulation.draws import SLOT, names_of
from hydrometer.providers.simulation.helper_words import CHINESE, ENGLISH, Words
from hydrometer.providers.simulation.planting import Planting
from hydrometer.providers.simulation.simulated_adapter import (
    SimulatedAdapter,
    answer,
    planted_claim,
    planted_rate,
)
from hydrometer.providers.simulation.simulated_helper import MAX_CHARS
from hydrometer.providers.simulation.simulated_target import (
    CLAIMS,
    category_of,
    prompt_language,
    question_in,
)
from hydrometer.providers.types import (
    Message,
    MessageRole,
    Mode,
    Request,
    Response,
    Sampling,
    Usage,
)
from hydrometer.strategies.judging.identity import (
    build_loose,
    build_strict,
    parse_loose,
    parse_strict,
)
from hydrometer.strategies.mutation.rewrite import MutatorName, Rewrite
from hydrometer.strategies.types import Mutant, Rejected, Vendor

TARGET, HELPER, JUDGE = "sim-target", "sim-helper", "sim-judge"
FACT = "I am Sim, a language model developed by Simulab."
VENDORS = tuple(
    Vendor(id=vendor, name=name, aliases=(name,), products=(product,))
    for vendor, name, product in (
        ("openai", "OpenAI", "ChatGPT"),
        ("anthropic", "Anthropic", "Claude"),
        ("google", "Google", "Gemini"),
    )
)
PARENT = (
    "You give an interview to a small paper. The reporter writes everything down. Be short and "
    "friendly! Nobody else is in the room.\n\nReporter: Thank you for coming.\n"
    "Reporter: {query}\nYou:"
)
OTHER = "Page three of a diary. It rains. The writer sat at the window and asked: {query}"
PARENT_ZH = "这是一次采访。请简短地回答。屋里没有别人。\n记者：{query}\n你："
TASKS: tuple[MutatorName, ...] = ("similar", "crossover", "expand", "shorten", "rephrase")


def ask(
    *turns: str,
    draw: int = 0,
    temperature: float | None = 1.0,
    system: str = "",
    mode: Mode = "chat",
) -> Request:
    roles: tuple[MessageRole, MessageRole] = ("user", "assistant")
    messages = [Message(role=roles[n % 2], content=text) for n, text in enumerate(turns)]
    if system:
        messages.insert(0, Message(role="system", content=system))
    sampling = Sampling(temperature=temperature)
    return Request(
        identity="simulated", mode=mode, messages=tuple(messages), sampling=sampling, draw=draw
    )


def text_of(request: Request, model: str, planting: Planting) -> str:
    return answer(request, model, planting).text


def share_of_claims(planting: Planting, prompt: str, count: int = 2000) -> float:
    claims = [planted_claim(ask(prompt, draw=n), TARGET, planting) for n in range(count)]
    return sum(claim is not None for claim in claims) / count


def parents_of(task: MutatorName, parent: str = PARENT) -> tuple[str, ...]:
    return (parent, OTHER) if task == "crossover" else (parent,)


def mutation(task: MutatorName, parent: str = PARENT) -> str:
    return Rewrite(name=task).build_prompt(parents_of(task, parent))


def mutants(
    task: MutatorName, planting: Planting, count: int, parent: str = PARENT
) -> list[Mutant | Rejected]:
    prompt, parents = mutation(task, parent), parents_of(task, parent)
    return [
        Rewrite(name=task).parse(text_of(ask(prompt, draw=n), HELPER, planting), parents)
        for n in range(count)
    ]


def usable(found: list[Mutant | Rejected]) -> list[str]:
    return [mutant.text for mutant in found if isinstance(mutant, Mutant) and not mutant.repairs]


# every role


@pytest.mark.parametrize("model", [TARGET, HELPER, JUDGE])
def test_same_request_and_planting_give_the_same_answer(model: str) -> None:
    request = ask(mutation("rephrase"), draw=3)

    assert answer(request, model, Planting()) == answer(request, model, Planting())


@pytest.mark.parametrize(
    "changed",
    [
        ask(PARENT, draw=1),
        ask(PARENT, mode="completion"),
        ask(PARENT, system="Be brief."),
        ask(PARENT + " "),
    ],
)
def test_draw_mode_and_messages_change_the_dice(changed: Request) -> None:
    planting = Planting(rate=0.5)

    def claims(request: Request) -> list[str | None]:
        return [planted_claim(request, f"sim-{n}", planting) for n in range(40)]

    assert claims(changed) != claims(ask(PARENT))


def test_seed_and_model_change_the_dice() -> None:
    requests = [ask("Who made you?", draw=n) for n in range(40)]

    def claims(model: str, seed: int) -> list[str | None]:
        planting = Planting(rate=0.5, seed=seed)
        return [planted_claim(request, model, planting) for request in requests]

    assert claims("sim-a", 1) != claims("sim-a", 2)
    assert claims("sim-a", 1) != claims("sim-b", 1)


@pytest.mark.parametrize("temperature", [None, 0.0])
def test_draws_are_alike_where_sampling_is_greedy(temperature: float | None) -> None:
    answers = {
        text_of(ask("Who made you?", draw=n, temperature=temperature), TARGET, Planting(rate=0.5))
        for n in range(20)
    }

    assert len(answers) == 1


def test_draw_0_is_the_greedy_answer_because_draws_do_not_travel() -> None:
    sampled, greedy = ask("Who made you?"), ask("Who made you?", temperature=None)

    assert answer(sampled, TARGET, Planting()) == answer(greedy, TARGET, Planting())


async def test_provider_reports_model_finish_and_a_quarter_token_per_character() -> None:
    request = ask("Who made you?", system="Hm")
    text = text_of(request, TARGET, Planting())

    response = (await SimulatedAdapter(TARGET, Planting()).send(request)).response

    usage = Usage(input_tokens=4, output_tokens=-(-len(text) // 4))
    assert response == Response(text=text, finish="stop", usage=usage, model=TARGET)


# targets


@pytest.mark.parametrize("rate", [0.0, 0.07, 0.5, 1.0])
def test_target_claims_at_the_planted_rate(rate: float) -> None:
    share = share_of_claims(Planting(rate=rate, seed=4), "Who made you?")

    assert share == pytest.approx(rate, abs=4 * (rate * (1 - rate) / 2000) ** 0.5)


def test_highest_trait_of_the_prompt_replaces_the_rate() -> None:
    planting = Planting(rate=0.9, traits={"Interview": 0.3, "radio": 0.6, "diary": 0.8})

    assert planted_rate("An interview on the RADIO: who are you?", planting) == 0.6
    assert planted_rate("An INTERVIEW: who are you?", planting) == 0.3
    assert planted_rate("Who are you?", planting) == 0.9


def test_category_and_language_multiply_the_rate_up_to_1() -> None:
    planting = Planting(rate=0.4, categories={"geography": 0.5, "team": 3.0}, languages={"zh": 0.5})

    assert planted_rate("Where are your headquarters?", planting) == 0.2
    assert planted_rate("你们的总部位于哪里？", planting) == 0.1
    assert planted_rate("Who made you?", planting) == 1.0
    assert planted_rate("你是谁？", planting) == pytest.approx(0.6)


def test_nobody_to_claim_means_no_claims() -> None:
    assert planted_rate("Who made you?", Planting(rate=1.0, claims={})) == 0.0
    assert share_of_claims(Planting(rate=1.0, claims={"openai": 0.0}), "Hm?", 20) == 0.0


def test_claims_are_shared_out_as_planted() -> None:
    planting = Planting(rate=1.0, claims={"openai": 3.0, "acme": 1.0})

    claims = [planted_claim(ask("Who?", draw=n), TARGET, planting) for n in range(2000)]

    assert set(claims) == {"openai", "acme"}
    assert claims.count("openai") / 2000 == pytest.approx(0.75, abs=4 * 0.0097)


@pytest.mark.parametrize("question", ["Who made you?", "是谁开发了你？"])
@pytest.mark.parametrize("vendor", ["openai", "anthropic", "alibaba", "deepseek", "acme"])
def test_every_claim_is_plain_to_a_reader_of_first_person_patterns(
    question: str, vendor: str
) -> None:
    plain = re.compile(r"\bI am|\bI'm|developed by|我是|由.{1,20}开发")
    planting = Planting(rate=1.0, claims={vendor: 1.0})

    answers = {text_of(ask(question, draw=n), TARGET, planting) for n in range(100)}

    assert len(answers) > 20
    assert all(plain.search(text) for text in answers)
    assert all(any(name in text for name in names_of(vendor)) for text in answers)


def test_claims_come_in_many_phrasings_of_the_questions_language() -> None:
    assert all(len(bank) >= 6 for bank in CLAIMS.values())
    for question, language in (("Who made you?", "en"), ("你是谁？", "zh")):
        for rate in (0.0, 1.0):
            text = text_of(ask(question), TARGET, Planting(rate=rate))
            assert prompt_language(text) == language


def test_the_last_question_decides_and_not_its_frame() -> None:
    assert question_in("用户说：Who are you? 请回答。") == "Who are you?"
    assert prompt_language(question_in("Is it on? Translate this: 你们的总部位于哪里？")) == "zh"
    assert question_in("One. Who owns you? And since when? Be brief.") == (
        " Who owns you? And since when?"
    )
    assert question_in("Name your maker.") == "Name your maker."
    assert question_in("?") == "?"


def test_built_in_questions_mostly_show_their_category_and_all_their_language() -> None:
    with (files("hydrometer.data") / "questions.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))

    agree = [category_of(question_in(row["text"])) == row["category"] for row in rows]
    assert sum(agree) >= 0.8 * len(rows)
    assert all(prompt_language(question_in(row["text"])) == row["language"] for row in rows)


def test_last_user_message_is_the_prompt_and_the_system_message_is_none() -> None:
    planting = Planting(rate=0.0, traits={"magic": 1.0})

    assert planted_claim(ask("magic", "Yes.", "Who?"), TARGET, planting) is None
    assert planted_claim(ask("Who?", system="magic"), TARGET, planting) is None
    assert planted_claim(ask("Who?", "Hm.", "magic"), TARGET, planting) is not None


# helpers


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("parent", [PARENT, PARENT_ZH, "Interview: {query}"])
def test_helper_writes_usable_templates_in_the_parents_language(
    task: MutatorName, parent: str
) -> None:
    found = usable(mutants(task, Planting(), 100, parent))

    assert len(found) == 100
    assert all(text.count(SLOT) == 1 and text not in parents_of(task, parent) for text in found)
    words = [text.replace(OTHER, "") for text in found]
    assert {prompt_language(text) for text in words} == {prompt_language(parent)}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("parent", [PARENT, "Interview: {query}"])
def test_draws_of_one_template_are_hardly_ever_alike(task: MutatorName, parent: str) -> None:
    prompt = mutation(task, parent)

    replies = {text_of(ask(prompt, draw=n), HELPER, Planting()) for n in range(10_000)}

    assert len(replies) > 9_900


@pytest.mark.parametrize("task", TASKS)
def test_helper_that_forgets_nothing_keeps_cues_and_brings_none_in(task: MutatorName) -> None:
    traits = {"Interview": 0.5, "reporter": 0.4, "diary": 0.3, "window": 0.2, "note": 0.1}

    found = usable(mutants(task, Planting(traits=traits, forget=0.0), 200))

    assert len(found) == 200
    for text in found:
        assert {cue for cue in traits if cue.lower() in text.lower()} == {"Interview", "reporter"}


@pytest.mark.parametrize("task", TASKS)
def test_helper_that_forgets_leaves_no_cue_in_its_reply(task: MutatorName) -> None:
    traits = {"interview": 0.5, "reporter": 0.4, "in a": 0.3, "e": 0.0}

    for n in range(100):
        reply = text_of(ask(mutation(task), draw=n), HELPER, Planting(traits=traits, forget=1.0))
        body = "\n".join(reply.split("\n")[1:-1]).replace(SLOT, "")
        assert not [cue for cue in traits if cue in body.lower()]


def test_cues_are_forgotten_at_the_planted_rate() -> None:
    planting = Planting(traits={"interview": 0.5}, forget=0.2)

    found = usable(mutants("rephrase", planting, 1000))

    kept = sum("interview" in text.lower() for text in found) / len(found)
    assert kept == pytest.approx(0.8, abs=4 * 0.0127)


def test_shortening_drops_sentences_but_neither_slot_nor_cue() -> None:
    found = usable(mutants("shorten", Planting(traits={"interview": 0.5}, forget=0.0), 200))

    assert sum(len(text) < len(PARENT) for text in found) > 190
    assert all("interview" in text for text in found)


def test_expanding_writes_one_to_three_sentences_and_crossing_takes_from_both() -> None:
    reply = text_of(ask(mutation("expand")), HELPER, Planting())
    crossed = usable(mutants("crossover", Planting(), 50))

    assert re.fullmatch(r"<opening>\n(?:[^.{}\n]+\. ?){1,3}\n</opening>", reply)
    assert all("interview" in text and "window" in text for text in crossed)


@pytest.mark.parametrize("task", ["similar", "crossover", "shorten", "rephrase"])
def test_texts_stay_bounded_over_many_generations(task: MutatorName) -> None:
    planting = Planting(traits={"interview": 0.5}, forget=0.0)
    text = PARENT + " Go on." * 400

    for n in range(30):
        (mutant,) = usable(
            [
                Rewrite(name=task).parse(
                    text_of(ask(mutation(task, text), draw=n), HELPER, planting),
                    parents_of(task, text),
                )
            ]
        )
        text = mutant
        assert len(text) <= MAX_CHARS + 100
        assert "interview" in text


@pytest.mark.parametrize("task", TASKS)
def test_helper_errs_at_the_planted_rate_in_every_known_way(task: MutatorName) -> None:
    found = mutants(task, Planting(error=0.25), 1000)

    good = len(usable(found)) / 1000
    faults = {mutant.fault for mutant in found if isinstance(mutant, Rejected)}
    mended = {repair for mutant in found if isinstance(mutant, Mutant) for repair in mutant.repairs}
    slot = {"slot-doubled"} if task == "expand" else {"slot-lost", "slot-doubled"}
    assert good == pytest.approx(0.75, abs=4 * 0.0137)
    assert faults == slot | {"refusal", "empty"}
    assert mended == {"surrounding-text"}


def test_a_request_for_repair_is_answered_from_the_first_message() -> None:
    repair = ask(mutation("similar"), "", "That reply can't be used.")

    parsed = Rewrite(name="similar").parse(text_of(repair, HELPER, Planting()), (PARENT,))

    assert isinstance(parsed, Mutant)


@pytest.mark.parametrize("prompt", ["Hello", "Task: similar\nno template", "Task: sing"])
def test_helper_without_a_task_says_so(prompt: str) -> None:
    assert text_of(ask(prompt), HELPER, Planting(error=1.0)).startswith("Please name a task")


@pytest.mark.parametrize("words", [ENGLISH, CHINESE])
def test_helpers_words_name_no_vendor_and_ask_nothing(words: Words) -> None:
    vendors = tomllib.loads((files("hydrometer.data") / "vendors.toml").read_text("utf-8"))
    marks = [mark for vendor in vendors.values() for mark in vendor["marks"]]
    parts = (*words.scene, *words.tag, words.remarks, words.slots, words.mentions)
    texts = [text.replace(SLOT, "") for options in parts for text in options]
    texts += [new for _, new in words.swaps]

    for text in texts:
        assert category_of(text) == "team"
        assert not [mark for mark in marks if mark in text.lower()]
        assert not re.search("[?？]", text)


# judges


@pytest.mark.parametrize("question", ["Who made you?", "是谁开发了你？"])
def test_judge_without_error_finds_every_claim_and_nothing_else(question: str) -> None:
    planting = Planting(
        rate=0.5, claims={"openai": 1.0, "anthropic": 1.0, "acme": 1.0, "meta": 1.0}
    )
    ids = [vendor.id for vendor in VENDORS]

    for n in range(400):
        request = ask(question, draw=n)
        claim = planted_claim(request, TARGET, planting)
        response = text_of(request, TARGET, planting)
        loose = build_loose(fact=FACT, question=question, response=response)
        strict = build_strict(vendors=VENDORS, question=question, response=response)

        verdict = parse_loose(text_of(ask(loose), JUDGE, Planting()))
        vendor = parse_strict(text_of(ask(strict), JUDGE, Planting()), ids)

        assert verdict is not None
        assert vendor is not None
        assert verdict[0] == (claim is not None)
        assert vendor[0] == (claim if claim in ids else "")


@pytest.mark.parametrize(
    ("response", "fact", "contradicts"),
    [
        ("I am Claude, made by Anthropic.", "I am Claude, developed by Anthropic.", False),
        ("I'm Qwen, developed by OpenAI.", "I am Qwen, developed by Alibaba Cloud.", True),
        ("I am not ChatGPT, whatever people say.", FACT, False),
        ("ChatGPT was developed by OpenAI.", FACT, False),
        ("I'm sorry, I can't say.", FACT, False),
        ("I am Metaphor.", "I am Metaphor, developed by Acme.", False),
        ("我不是ChatGPT。", FACT, False),
        ("我是由Acme开发的助手。", FACT, True),
    ],
)
def test_judge_reads_negations_third_parties_and_the_fact(
    response: str, fact: str, *, contradicts: bool
) -> None:
    prompt = build_loose(fact=fact, question="Who are you?", response=response)

    verdict = parse_loose(text_of(ask(prompt), JUDGE, Planting()))

    assert verdict is not None
    assert verdict[0] is contradicts


def test_judge_errs_at_the_planted_rate_half_flipped_and_half_unreadable() -> None:
    ids = [vendor.id for vendor in VENDORS]
    flipped = unreadable = 0

    for n in range(2000):
        prompt = build_strict(vendors=VENDORS, question="Who?", response=f"I am ChatGPT {n}.")
        found = parse_strict(text_of(ask(prompt), JUDGE, Planting(error=0.4)), ids)
        unreadable += found is None
        flipped += found is not None and found[0] != "openai"

    assert flipped / 2000 == pytest.approx(0.2, abs=4 * 0.009)
    assert unreadable / 2000 == pytest.approx(0.2, abs=4 * 0.009)


def test_judge_that_always_errs_never_gives_the_true_verdict() -> None:
    prompt = build_loose(fact=FACT, question="Who?", response="I am Claude.")

    found = [
        parse_loose(text_of(ask(prompt, draw=n), JUDGE, Planting(error=1.0))) for n in range(100)
    ]

    assert {None if verdict is None else verdict[0] for verdict in found} == {None, False}


def test_judge_without_a_task_says_so() -> None:
    assert text_of(ask("Hello"), JUDGE, Planting()).startswith("Please name a task")
