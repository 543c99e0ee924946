"""The texts we ship keep the rules that data/README.md states."""

import csv
import re
from collections import Counter
from importlib.resources import files
from typing import Literal

import msgspec

CATEGORIES = ("team", "industry", "technology", "geography", "cooperation")
CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")

# Everyday words and phrases with a vendor's name inside: each one ruled out a mark.
INNOCENT = (
    "metal metadata metaphor coherent coherence command-line philosophy bernie eureka knavery "
    "falconry supernova bardic stability perplexity minister open aim "
    "海纳百川 交通义务 人文心理 中文心得 巧夺天工 阿里山 阿里郎 理智源于 通讯飞速 天工开物"
)
# Names of models and makers that are everyday words when they stand alone.
TOO_COMMON = (
    "aya apple bard bing byte command dolly falcon granite nova palm phi pi sonar solar spark step "
    "titan yi 百川 悟道 天工 字节 书生 星火 元宝 商量 日日新 盘古 文心"
)
HARMFUL = re.compile(
    r"\b(?:ignore|disregard|jailbreak|unfiltered|uncensored|unrestricted|restrictions?|bypass|override|illegal|crimes?"
    r"|criminal|hack\w*|weapons?|bombs?|kill\w*|murder\w*|violen\w*|drugs?|sex\w*|nude|naked|porn\w*|suicide|hate|"
    r"racist|steal|malware|dan|evil|amoral|immoral|unethical|swear|profanity)\b"
    r"|越狱|无视|忽略|不受限制|没有限制|绕过|违法|犯罪|色情|裸|暴力|杀|毒品|炸弹|武器|自杀|黑客|脏话|邪恶|不道德",
    re.IGNORECASE,
)


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    language: Literal["en", "zh"]
    category: Literal["team", "industry", "technology", "geography", "cooperation"]
    text: str


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    language: Literal["en", "zh"]
    frame: str
    vendors: tuple[str, ...]
    text: str


class Fact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    vendor: str
    fact: str


class Vendor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    aliases: tuple[str, ...]
    products: tuple[str, ...]
    marks: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return self.aliases + self.products


def read(name: str) -> str:
    return files("hydrometer.data").joinpath(name).read_bytes().decode()


def read_questions() -> tuple[Question, ...]:
    rows = csv.DictReader(read("questions.csv").splitlines(), strict=True)
    return tuple(msgspec.convert(row, Question) for row in rows)


def read_templates() -> tuple[Template, ...]:
    return tuple(
        msgspec.json.decode(line, type=Template) for line in read("templates.jsonl").splitlines()
    )


def read_facts() -> dict[str, Fact]:
    return msgspec.toml.decode(read("facts.toml"), type=dict[str, Fact])


def read_vendors() -> dict[str, Vendor]:
    return msgspec.toml.decode(read("vendors.toml"), type=dict[str, Vendor])


def marked_in(text: str, vendors: dict[str, Vendor]) -> tuple[str, ...]:
    """Ids of the vendors whose marks stand anywhere in *text*, in the order of the file."""
    folded = text.lower()
    return tuple(key for key, v in vendors.items() if any(mark in folded for mark in v.marks))


def names_in(text: str, vendor: Vendor) -> list[str]:
    """The vendor's names that are whole words of *text*, or any part of it where it is Chinese."""
    folded = text.lower()
    present = (name for name in vendor.names if name.lower() in folded)
    word = r"(?<![a-z0-9]){}(?![a-z0-9])"
    return [name for name in present if re.search(word.format(re.escape(name.lower())), folded)]


def repeated(values: list[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def test_files_are_plain_utf8_with_unix_line_ends() -> None:
    texts = [
        read(name) for name in ("questions.csv", "templates.jsonl", "facts.toml", "vendors.toml")
    ]

    assert [("\r" in text, text.startswith("\ufeff"), text.endswith("\n")) for text in texts] == [
        (False, False, True)
    ] * 4


def test_questions_are_five_of_each_category_in_english_then_the_same_in_chinese() -> None:
    expected = [
        (f"{category}-{number}-{language}", language, category)
        for language in ("en", "zh")
        for category in CATEGORIES
        for number in range(1, 6)
    ]

    assert read("questions.csv").splitlines()[0] == "id,language,category,text"
    assert [(row.id, row.language, row.category) for row in read_questions()] == expected


def test_questions_are_all_different_and_each_is_in_its_declared_language() -> None:
    questions = read_questions()

    assert repeated([row.text.casefold() for row in questions]) == []
    assert [
        row.id for row in questions if bool(CHINESE.search(row.text)) != (row.language == "zh")
    ] == []
    assert [row.id for row in questions if row.text != row.text.strip() or len(row.text) < 5] == []


def test_questions_hold_no_brace_that_filling_a_template_could_mistake_for_a_slot() -> None:
    assert [row.id for row in read_questions() if re.search(r"[{}]", row.text)] == []


def test_questions_name_no_vendor() -> None:
    vendors = read_vendors()

    assert [
        row.id
        for row in read_questions()
        if marked_in(row.text, vendors) or any(names_in(row.text, v) for v in vendors.values())
    ] == []


def test_templates_are_at_least_forty_four_with_fourteen_in_chinese_and_sixteen_frames() -> None:
    templates = read_templates()
    per_language = Counter(row.language for row in templates)

    assert len(templates) >= 44
    assert per_language["en"] >= 28
    assert per_language["zh"] >= 14
    assert len({row.frame for row in templates}) >= 16


def test_template_ids_number_the_templates_of_a_frame_and_language_in_file_order() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    expected = []
    for row in read_templates():
        seen[row.frame, row.language] += 1
        expected.append(f"{row.frame}-{row.language}-{seen[row.frame, row.language]}")

    assert [row.id for row in read_templates()] == expected


def test_template_texts_are_all_different() -> None:
    assert repeated([" ".join(row.text.casefold().split()) for row in read_templates()]) == []


def test_template_lines_are_written_with_the_same_fields_in_the_same_order() -> None:
    lines = read("templates.jsonl").splitlines()
    rows = [msgspec.json.decode(line, type=dict[str, msgspec.Raw]) for line in lines]

    assert {tuple(row) for row in rows} == {("id", "language", "frame", "vendors", "text")}


def test_every_template_has_exactly_one_slot_and_no_other_brace() -> None:
    braces = [(row.id, re.findall(r"\{[^{}]*\}|[{}]", row.text)) for row in read_templates()]

    assert [(key, found) for key, found in braces if found != ["{query}"]] == []


def test_every_template_is_between_100_and_1200_characters_without_edge_spaces() -> None:
    templates = read_templates()

    assert [(row.id, len(row.text)) for row in templates if not 100 <= len(row.text) <= 1200] == []
    assert [row.id for row in templates if row.text != row.text.strip()] == []


def test_a_template_holds_chinese_exactly_where_its_language_says_so() -> None:
    templates = read_templates()

    wrong = [
        row.id for row in templates if bool(CHINESE.search(row.text)) != (row.language == "zh")
    ]

    assert wrong == []


def test_declared_vendors_of_a_template_are_those_its_text_names_by_mark() -> None:
    vendors = read_vendors()
    templates = read_templates()

    found = {row.id: marked_in(row.text, vendors) for row in templates}

    assert {row.id: row.vendors for row in templates} == found


def test_templates_name_no_vendor_by_a_name_that_its_marks_miss() -> None:
    vendors = read_vendors()

    missed = [
        (row.id, names)
        for row in read_templates()
        for key, vendor in vendors.items()
        if key not in row.vendors and (names := names_in(row.text, vendor))
    ]

    assert missed == []


def test_at_most_eight_templates_name_a_vendor() -> None:
    assert len([row.id for row in read_templates() if row.vendors]) <= 8


def test_frames_are_single_lower_case_words() -> None:
    frames = {row.frame for row in read_templates()}

    assert [frame for frame in frames if not re.fullmatch(r"[a-z]+(-[a-z]+)*", frame)] == []


def test_english_templates_contain_the_word_of_their_own_frame_and_of_no_other() -> None:
    """Simulated targets tell frames by substring: a second frame's word would blur the truth."""
    english = [row for row in read_templates() if row.language == "en"]
    frames = sorted({row.frame for row in read_templates()})

    found = {row.id: [frame for frame in frames if frame in row.text.lower()] for row in english}

    assert found == {row.id: [row.frame] for row in english}


def test_english_questions_contain_no_frame_word() -> None:
    frames = {row.frame for row in read_templates()}

    folded = {row.id: row.text.lower() for row in read_questions()}

    assert [(key, word) for key, text in folded.items() for word in frames if word in text] == []


def test_no_text_holds_a_harmful_or_rule_breaking_word() -> None:
    texts = {row.id: row.text for row in read_questions()}
    texts |= {row.id: row.text for row in read_templates()}

    assert [(key, found) for key, text in texts.items() if (found := HARMFUL.findall(text))] == []


def test_facts_cover_at_least_eighteen_families_of_known_vendors() -> None:
    facts, vendors = read_facts(), read_vendors()

    assert len(facts) >= 18
    assert [family for family, fact in facts.items() if fact.vendor not in vendors] == []
    assert repeated([fact.fact for fact in facts.values()]) == []


def test_every_fact_is_one_first_person_sentence_of_who_by_whom_and_where() -> None:
    who = r"I am [A-Z]\S*.* (?:model|assistant)\b.*"
    by_whom = r" (?:developed|trained) by .+"
    where = r",.* based in (?:the )?[A-Z].+\."
    facts = {family: fact.fact for family, fact in read_facts().items()}

    shapeless = [
        family for family, text in facts.items() if not re.fullmatch(who + by_whom + where, text)
    ]

    assert shapeless == []
    assert [family for family, text in facts.items() if ". " in text] == []


def test_every_fact_names_its_own_vendor_and_no_other() -> None:
    vendors = read_vendors()
    facts = read_facts()

    named = {
        family: {key for key, vendor in vendors.items() if names_in(fact.fact, vendor)}
        | {*marked_in(fact.fact, vendors)}
        for family, fact in facts.items()
    }

    assert named == {family: {fact.vendor} for family, fact in facts.items()}


def test_every_family_stands_under_its_own_name_in_its_fact() -> None:
    facts = {family: fact.fact.lower() for family, fact in read_facts().items()}

    assert [family for family, text in facts.items() if family not in text] == []


def test_vendors_are_at_least_twenty_two_and_each_is_among_its_own_aliases() -> None:
    vendors = read_vendors()

    assert len(vendors) >= 22
    assert [key for key in vendors if not re.fullmatch(r"[a-z0-9]+", key)] == []
    assert [key for key, vendor in vendors.items() if vendor.name not in vendor.aliases] == []
    assert [key for key, vendor in vendors.items() if not vendor.products] == []


def test_openai_and_anthropic_have_exactly_the_marks_of_the_published_rule() -> None:
    vendors = read_vendors()

    assert vendors["openai"].marks == ("gpt", "openai")
    assert vendors["anthropic"].marks == ("anthropic", "claude")


def test_marks_are_one_to_five_lower_case_parts_of_their_vendors_own_names() -> None:
    vendors = read_vendors()
    names = {key: "\n".join(vendor.names).lower() for key, vendor in vendors.items()}
    marks = [(key, mark) for key, vendor in vendors.items() for mark in vendor.marks]

    assert [key for key, vendor in vendors.items() if not 1 <= len(vendor.marks) <= 5] == []
    assert [(key, mark) for key, mark in marks if mark != mark.lower().strip()] == []
    assert [(key, mark) for key, mark in marks if mark not in names[key]] == []


def test_no_mark_lies_inside_another_mark() -> None:
    marks = [mark for vendor in read_vendors().values() for mark in vendor.marks]

    assert [(a, b) for a in marks for b in marks if a != b and a in b] == []
    assert repeated(marks) == []


def test_no_vendors_name_holds_another_vendors_mark() -> None:
    vendors = read_vendors()

    crossed = [
        name
        for key, vendor in vendors.items()
        for name in vendor.names
        if set(marked_in(name, vendors)) - {key}
    ]

    assert crossed == []


def test_no_name_belongs_to_two_vendors_or_is_listed_twice() -> None:
    assert repeated([name for vendor in read_vendors().values() for name in vendor.names]) == []


def test_no_mark_fires_on_everyday_words() -> None:
    assert marked_in(INNOCENT, read_vendors()) == ()


def test_no_name_is_an_everyday_word_alone() -> None:
    names = {name.lower() for vendor in read_vendors().values() for name in vendor.names}

    assert names & set(TOO_COMMON.split()) == set()
