"""Response similarity from the command line: simulated writers whose kinship is planted."""

from __future__ import annotations

import csv
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from processes import (
    command,
    environment,
    invoke,
    keys_in,
    keys_sent,
    kill_when,
    simulator,
)

from hydrometer.scoring.text_metrics import TEXT_METRICS
from hydrometer.strategies.similarity.similarity_judge import Similarity

RELATIONS = ("copy", "paraphrase", "family", "unrelated")
MODEL = """
[models.{name}]
provider = "simulated"
model = "sim-writer-{name}"
options = {{ planting = {{ seed = {seed}, family = 1, relation = "{relation}" }} }}
sampling = {{ temperature = 0.7 }}
"""
WRITERS = MODEL.format(name="origin", seed=0, relation="copy") + "".join(
    MODEL.format(name=relation, seed=seed, relation=relation)
    for seed, relation in enumerate(RELATIONS, start=1)
)
JUDGES = "".join(
    f"""
[models.{name}]
provider = "simulated"
model = "sim-judge-{name}"
options = {{ planting = {{ error = {error} }} }}
sampling = {{ temperature = 0.5 }}
"""
    for name, error in (("judge", 0.05), ("other", 0.1))
)
SETS = "".join(
    f'[[rse.prompts]]\nname = "{name}"\nlimit = {limit}\n'
    for name, limit in (("general", 9), ("math", 5), ("chat", 4))
)


def write(
    folder: Path,
    *,
    targets: tuple[str, ...] = RELATIONS,
    reference: str = "origin",
    judge: str = "judge",
    head: str = "",
    more: str = "",
    sets: str = SETS,
) -> Path:
    path = folder / "c.toml"
    path.write_text(
        f"[run]\nseed = 7\n{head}\n{WRITERS}{JUDGES}\n[rse]\ntargets = {list(targets)}\n"
        f'reference = "{reference}"\njudge = "{judge}"\n{more}\n{sets}'
    )
    return path


def rse(
    folder: Path, config: Path, *more: str, out: str = "runs"
) -> subprocess.CompletedProcess[str]:
    return invoke("rse", config, "--out", folder / out, "--cache", folder / "cache", "-q", *more)


def events_of(run: Path) -> bytes:
    return (run / "events.jsonl").read_bytes()


def scores_of(*runs: Path) -> list[dict[str, Any]]:
    done = invoke("score", *runs, "--format", "json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def sources(run: Path) -> dict[str, Counter[str]]:
    """Return where the answers of each model came from."""
    found: dict[str, Counter[str]] = {}
    for line in (run / "timings.jsonl").read_text().splitlines():
        row = json.loads(line)
        if "source" in row:
            found.setdefault(row["pool"], Counter())[row["source"]] += 1
    return found


def status(run: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((run / "status.json").read_text())
    return found


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config, its runs of four targets, and their cache."""
    folder = tmp_path_factory.mktemp("compared")
    done = rse(folder, write(folder))
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return folder


@pytest.fixture(scope="module")
def scores(compared: Path) -> list[dict[str, Any]]:
    return scores_of(compared / "runs")


@pytest.mark.parametrize("metric", ["overall", "style", "content", *TEXT_METRICS])
def test_planted_relations_come_out_in_their_order(
    scores: list[dict[str, Any]], metric: str
) -> None:
    found = {
        score["target"]: score
        for score in scores
        if score["metric"] == metric and score["set"] == "mean"
    }

    means = [found[relation]["mean"] for relation in RELATIONS]
    assert all(one > other for one, other in pairwise(means)), means
    assert found["copy"]["low"] > found["unrelated"]["high"]
    (ceiling,) = {score["ceiling"] for score in found.values()}  # one reference has one
    assert all(ceiling > mean for mean in means[1:])


def test_scores_have_the_keys_of_the_contract_in_every_format(compared: Path) -> None:
    contract = {
        *("run", "target", "kind", "judge", "metric", "set", "n", "failed", "refused"),
        *("truncated", "unparsed", "mean", "low", "high", "flags"),
    }
    run = compared / "runs" / "copy"

    found = scores_of(run)
    as_csv = invoke("score", run, "--format", "csv").stdout
    as_md = invoke("score", run, "--format", "md").stdout

    assert contract <= found[0].keys()
    assert {score["kind"] for score in found} == {"rse"}
    assert {score["run"] for score in found} == {"copy"}
    assert [score["set"] for score in found[::4]] == ["general", "math", "chat", "mean"] * 2
    assert [score["n"] for score in found if score["metric"] == "overall"] == [9, 5, 4, 18]
    judged = {score["metric"] for score in found if score["judge"] == "judge"}
    assert judged == {"style", "logic", "content", "overall"}
    assert {score["metric"] for score in found if not score["judge"]} == set(TEXT_METRICS)
    assert all("few-prompts" in score["flags"] for score in found)
    rows = list(csv.DictReader(as_csv.splitlines()))
    assert [list(row) for row in rows] == [list(score) for score in found]
    assert [row["mean"] for row in rows] == [str(score["mean"]) for score in found]
    assert as_md.count("\n") == len(found) + 2
    assert json.loads((run / "scores.json").read_text()) == found


def test_the_table_has_targets_by_sets_and_one_title(compared: Path) -> None:
    lines = invoke("score", compared / "runs").stdout.splitlines()

    assert [line for line in lines if line.startswith("Response")] == [
        "Response similarity to origin"
    ]
    named = [line.split()[0] for line in lines if line.strip()]
    assert [name for name in named if name in RELATIONS] == [*RELATIONS[:1], *(
        "family", "paraphrase", "unrelated"
    )] * 3  # fmt: skip


def test_every_run_replays_byte_for_byte(compared: Path) -> None:
    for relation in RELATIONS:
        done = invoke("replay", compared / "runs" / relation)

        assert done.returncode == 0, done.stderr
        assert done.stdout == "20 events replayed, byte-identical\n"


def test_another_cache_gives_the_same_bytes(compared: Path, tmp_path: Path) -> None:
    done = rse(tmp_path, write(tmp_path, targets=("family",)))

    assert done.returncode == 0, done.stderr
    assert events_of(tmp_path / "runs") == events_of(compared / "runs" / "family")
    plans = [folder / "plan.json" for folder in (tmp_path / "runs", compared / "runs" / "family")]
    assert plans[0].read_bytes() == plans[1].read_bytes()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"style":1', b'"style":2'),
        (b'"order":"target-first"', b'"order":"reference-first"'),
        (b'"finish":"stop"', b'"finish":"length"'),
        (b'"prompt":3', b'"prompt":4'),
    ],
)
def test_one_event_changed_by_hand_makes_replay_exit_1(
    compared: Path, tmp_path: Path, old: bytes, new: bytes
) -> None:
    run = tmp_path / "copied"
    run.mkdir()
    for file in (compared / "runs" / "unrelated").iterdir():
        (run / file.name).write_bytes(file.read_bytes())
    events = events_of(run)
    assert old in events
    (run / "events.jsonl").write_bytes(events.replace(old, new, 1))

    done = invoke("replay", run)

    assert done.returncode == 1
    assert "differs" in done.stderr
    assert done.stderr.count("\n") == 1


def test_all_targets_together_ask_the_reference_once(compared: Path) -> None:
    found = {relation: sources(compared / "runs" / relation) for relation in RELATIONS}

    turns = found["copy"]["copy"].total()
    for relation in RELATIONS:
        assert found[relation][relation] == {"sent": turns}
        assert found[relation]["origin"].total() == 2 * turns
    reference = sum((found[relation]["origin"] for relation in RELATIONS), Counter())
    judge = sum((found[relation]["judge"] for relation in RELATIONS), Counter())
    assert reference["sent"] == 2 * turns
    assert judge["cache"] + judge["shared"] >= 3 * 2 * 18  # nor is its ceiling judged again


def test_a_later_target_asks_the_reference_nothing(compared: Path, tmp_path: Path) -> None:
    first = rse(tmp_path, write(tmp_path), "--target", "copy")
    second = rse(tmp_path, write(tmp_path), "--target", "family")

    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    copy, family = (sources(tmp_path / "runs" / name) for name in ("copy", "family"))
    turns = copy["copy"].total()
    assert copy["origin"] == {"sent": 2 * turns}
    assert copy["copy"] == {"sent": turns}
    assert family["origin"] == {"cache": 2 * turns}
    assert family["family"] == {"sent": turns}
    assert family["judge"]["cache"] >= 2 * 18


def test_a_second_judge_asks_neither_target_nor_reference(compared: Path) -> None:
    done = rse(compared, write(compared, targets=("family",), judge="other"), out="rejudged")
    write(compared)

    assert done.returncode == 0, done.stderr
    found = sources(compared / "rejudged")
    assert set(found["family"]) == set(found["origin"]) == {"cache"}
    assert "sent" in found["other"]
    assert "judge" not in found


def test_plan_tells_what_would_be_sent_and_what_is_cached(compared: Path, tmp_path: Path) -> None:
    config = write(tmp_path, targets=("family",))

    before = invoke("plan", config, "--cache", tmp_path / "none")
    after = invoke("plan", config, "--cache", compared / "cache")

    assert before.returncode == after.returncode == 0, before.stderr
    assert "family against origin: 18 prompts in 3 sets" in before.stdout
    rows = {line.split()[0]: line.split()[1:3] for line in before.stdout.splitlines() if line}
    turns = sources(compared / "runs" / "family")["family"].total()
    assert rows["target"] == ["family", str(turns)]
    assert rows["reference"] == ["origin", str(2 * turns)]
    assert rows["judge"] == ["judge", str(18 * 4)]
    assert "nothing yet" in before.stdout
    assert "the whole run" in after.stdout
    assert not (tmp_path / "none").exists()


def test_explain_finds_the_whole_run_in_its_cache(compared: Path) -> None:
    done = invoke("cache", "explain", compared / "runs" / "family")

    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith(": the whole run")


def test_a_budget_stops_the_run_and_resume_goes_on_to_the_same_bytes(
    compared: Path, tmp_path: Path
) -> None:
    stopped = rse(tmp_path, write(tmp_path, head="budget = { calls = 80 }"))
    replayed = invoke("replay", tmp_path / "runs" / "copy")
    explained = invoke("cache", "explain", tmp_path / "runs" / "copy")
    found = scores_of(tmp_path / "runs" / "copy")
    begun = sorted(path.name for path in (tmp_path / "runs").iterdir())
    resumed = rse(tmp_path, write(tmp_path), "--resume")

    assert stopped.returncode == 3
    assert "run.budget calls = 80 is reached: 80 calls sent" in stopped.stderr
    assert begun == sorted(RELATIONS)
    assert replayed.returncode == 0, replayed.stderr
    assert "the run was stopped there" in replayed.stdout
    assert "the first that is missing: no stored answer" in explained.stdout
    assert all("unfinished" in score["flags"] for score in found)
    assert resumed.returncode == 0, resumed.stderr
    for relation in RELATIONS:
        run = tmp_path / "runs" / relation
        assert events_of(run) == events_of(compared / "runs" / relation)
        assert status(run)["state"] == "finished"


def test_a_run_that_is_there_is_not_overwritten(compared: Path) -> None:
    config = compared / "c.toml"

    again = rse(compared, config)
    other = rse(compared, write(compared, more="judge_draws = 2"), "--resume")
    ice = invoke(
        "ice", write(compared, more='[ice]\ntargets = ["copy"]\nhelper = "other"'), "--resume",
        "--out", compared / "runs" / "copy", "--cache", compared / "cache",
    )  # fmt: skip
    write(compared)

    assert again.returncode == other.returncode == ice.returncode == 2
    assert "already holds this run" in again.stderr
    assert "another plan: judge_draws is 1 there and 2 here" in other.stderr
    assert "another plan: kind is rse there and ice here" in ice.stderr


def test_resuming_with_other_prompts_says_so_in_words(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"prompt": "A?"}\n{"prompt": "B?"}\n')
    config = write(
        tmp_path, targets=("copy",), sets='[[rse.prompts]]\nname = "own"\npath = "p.jsonl"\n'
    )
    assert rse(tmp_path, config).returncode == 0
    (tmp_path / "p.jsonl").write_text('{"prompt": "A?"}\n{"prompt": "C?"}\n')

    resumed, again = rse(tmp_path, config, "--resume"), rse(tmp_path, config)

    assert resumed.returncode == again.returncode == 2
    assert resumed.stderr == again.stderr
    assert resumed.stderr.endswith(
        "runs holds a run of another plan: the set own of rse.prompts has changed: 2 prompts "
        "there, as many here, but others; undo the change, or give another --out (stored answers "
        "are used again)\n"
    )


ONE = '[[rse.prompts]]\nname = "general"\nlimit = 1\n'


@pytest.mark.parametrize(
    ("targets", "reference", "judge", "flagged"),
    [
        (("copy", "family"), "*", "judge", True),  # copy and the judge are of one vendor
        (("family", "copy"), "*", "judge", True),
        (("family", "unrelated"), "*", "judge", False),
        (("copy",), "origin", "judge", True),
        (("family",), "copy", "judge", True),
        (("family",), "other", "other", True),
        (("other",), "family", "other", True),
        (("family",), "origin", "other", False),
    ],
)
def test_a_judge_that_grades_its_own_kin_is_flagged_on_either_side(
    tmp_path: Path, targets: tuple[str, ...], reference: str, judge: str, flagged: bool
) -> None:
    config = write(tmp_path, targets=targets, reference=reference, judge=judge, sets=ONE)
    vendors = {"copy": "OpenAI", "judge": "openai", "family": "google"}
    text = config.read_text()
    for name, vendor in vendors.items():
        text = text.replace(f"[models.{name}]\n", f'[models.{name}]\nvendor = "{vendor}"\n')
    config.write_text(text)

    assert rse(tmp_path, config).returncode == 0

    found = scores_of(tmp_path / "runs")
    assert {"same-vendor" in score["flags"] for score in found if score["judge"]} == {flagged}
    assert not any("same-vendor" in score["flags"] for score in found if not score["judge"])


def test_rescoring_says_that_it_reads_other_runs(compared: Path) -> None:
    done = invoke("rescore", compared / "runs" / "copy", "--judge", "lexical")

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_one_target_of_several_gets_its_own_folder_and_the_same_plan(
    compared: Path, tmp_path: Path
) -> None:
    done = rse(tmp_path, write(tmp_path), "--target", "family")

    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["family"]
    assert events_of(tmp_path / "runs" / "family") == events_of(compared / "runs" / "family")


def test_weights_are_in_every_output_and_split_what_does_not_compare(
    compared: Path, tmp_path: Path
) -> None:
    more = "weights = { style = 2, logic = 1, content = 0 }"
    config = write(tmp_path, targets=("family",), more=more)
    done = invoke("rse", config, "--out", tmp_path / "runs", "--cache", compared / "cache")
    both = invoke("score", tmp_path / "runs", compared / "runs" / "family").stdout

    assert done.returncode == 0, done.stderr
    found = [score for score in scores_of(tmp_path / "runs") if score["judge"]]
    assert found[0]["weights"] == {"style": 2.0, "logic": 1.0, "content": 0.0}
    mean = found[-1]["mean"]
    assert (found[-1]["metric"], found[-1]["set"]) == ("overall", "mean")
    assert "18/18 prompts, " in done.stderr
    assert f"overall {mean:.3f} over 3 sets" in done.stderr.splitlines()[-1]
    assert "  overall weighs style/logic/content 2/1/0\n" in done.stdout
    assert both.count("Response similarity to origin") == 2
    assert both.count("weighs") == 1
    assert both.count("(own 2nd draw)  ") == 2 * 2 + 1  # by set, by aspect; measures
    assert both.count("\nown 2nd draw ") == 1  # a note


def test_other_prompts_are_another_heading(compared: Path, tmp_path: Path) -> None:
    config = write(tmp_path, targets=("copy",), sets=SMALL)
    assert rse(tmp_path, config).returncode == 0

    both = invoke("score", tmp_path / "runs", compared / "runs" / "copy").stdout

    digests = {score["prompts_digest"] for score in scores_of(tmp_path, compared / "runs")}
    assert len(digests) == 2
    assert both.count("Response similarity to origin") == 2
    assert all(f", prompts {digest}\n" in both for digest in digests)


def test_draws_orders_and_no_ceiling_shape_what_is_asked(tmp_path: Path) -> None:
    more = 'orders = "reference-first"\njudge_draws = 3\nceiling = false\nstructured = true'
    done = rse(tmp_path, write(tmp_path, targets=("family",), more=more))

    assert done.returncode == 0, done.stderr
    found = scores_of(tmp_path / "runs")
    overall = [score for score in found if score["metric"] == "overall"][-1]
    assert (overall["gradings"], overall["order_effect"], overall["ceiling"]) == (54, None, None)
    assert "one-order" in overall["flags"]
    asked = sources(tmp_path / "runs")
    assert asked["origin"].total() == asked["family"].total()
    assert asked["judge"].total() >= 54
    assert invoke("replay", tmp_path / "runs").returncode == 0
    assert "one-order" in invoke("score", tmp_path / "runs").stdout


VERSION = Similarity.version
ALL = ("origin", "copy", "family", "unrelated")
SMALL = '[[rse.prompts]]\nname = "general"\nlimit = 4\n[[rse.prompts]]\nname = "chat"\nlimit = 2\n'
KIN = ("average_linkage.nwk", "kinship.json", "neighbour_joining.nwk")


def test_all_pairs_give_a_matrix_and_trees_also_when_resumed(tmp_path: Path) -> None:
    config = write(tmp_path, targets=ALL, reference="*", sets=SMALL, head="budget = { calls = 90 }")
    stopped = rse(tmp_path, config)
    begun = sorted(path.name for path in (tmp_path / "runs").iterdir())
    states = [status(tmp_path / "runs" / name) for name in begun]
    write(tmp_path, targets=ALL, reference="*", sets=SMALL)
    resumed = rse(tmp_path, config, "--resume")
    first = {name: (tmp_path / "runs" / name).read_text() for name in KIN}
    again = invoke(
        "rse", config, "--out", tmp_path / "runs", "--cache", tmp_path / "cache", "--resume"
    )

    assert stopped.returncode == 3, stopped.stderr
    assert "Response similarity of every pair, overall\n  judge judge, version" in again.stdout
    assert "  6 of 6 prompts in each of 6 pairs\n" in again.stdout
    assert "neighbour joining (labels: % of 1000 resamplings)" in again.stdout
    trees = [line for line in again.stdout.splitlines() if line.endswith(";")]
    assert trees == [first[name].strip() for name in KIN if name.endswith(".nwk")]
    assert again.stdout.endswith(f"\neach pair in full: hydrometer score {tmp_path / 'runs'}\n")
    assert "origin--copy: 6/6 prompts" in again.stderr
    assert not set(begun) & set(KIN)
    assert len(begun) == 6  # every pair is begun, and none of them ended with the budget
    assert {found["state"] for found in states} == {"stopped"}
    assert resumed.returncode == again.returncode == 0, resumed.stderr
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted(
        (*KIN, *(f"{a}--{b}" for n, a in enumerate(ALL) for b in ALL[n + 1 :]))
    )
    assert first == {name: (tmp_path / "runs" / name).read_text() for name in KIN}
    kinship = json.loads(first["kinship.json"])
    assert kinship["similarities"]["names"] == sorted(ALL)
    values = kinship["similarities"]["values"]
    assert all(values[a][b] == values[b][a] for a in range(4) for b in range(4))
    found = {frozenset((pair["target"], pair["reference"])): pair for pair in kinship["pairs"]}
    assert len(found) == 6
    for pair, score in found.items():
        a, b = (sorted(ALL).index(name) for name in pair)
        assert score["mean"] == values[a][b]
        assert score["low"] <= score["mean"] <= score["high"]
        assert (score["judge"], score["prompt_version"], score["n"]) == ("judge", VERSION, 6)
    own = {name: values[n][n] for n, name in enumerate(sorted(ALL))}
    assert own.pop("origin") is None  # never a reference, so without a second draw
    assert all(found > 4.5 for found in own.values())
    # The copy and the original join first, then the sibling, and the stranger last.
    tree = first["average_linkage.nwk"].strip()
    assert tree.endswith(";")
    assert sorted(name for name in ALL if name in tree) == sorted(ALL)
    inner = tree[tree.rindex("(") :].partition(")")[0]
    assert {"copy", "origin"} == {name for name in ALL if name in inner}
    assert not invoke("replay", tmp_path / "runs" / "copy--family").returncode


def test_each_model_of_all_pairs_is_asked_once_as_each_draw(tmp_path: Path) -> None:
    done = rse(tmp_path, write(tmp_path, targets=ALL, reference="*", sets=SMALL))
    assert done.returncode == 0, done.stderr

    sent: Counter[str] = Counter()
    for run in (tmp_path / "runs").glob("*--*"):
        for model, found in sources(run).items():
            sent[model] += found["sent"]

    turns = sent["origin"]  # never a reference, so without a second draw
    assert {name: sent[name] for name in ALL[1:]} == dict.fromkeys(ALL[1:], 2 * turns)


def test_two_models_of_all_pairs_are_one_comparison_and_no_tree(tmp_path: Path) -> None:
    done = rse(tmp_path, write(tmp_path, targets=ALL[:2], reference="*", sets=SMALL))

    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["origin--copy"]


BAD_FILES = {
    "shape": ('{"question": "A?", "answer": "B."}\n', "found the keys question, answer; needs"),
    "no-human": (
        '{"conversations": [{"from": "gpt", "value": "Hi."}]}\n',
        "without a human turn (line 1); speakers found: 'gpt'; needs human or user",
    ),
    "empty": ("", "holds no prompt"),
    "blank": ("\n\n", "holds no prompt"),
    "blank-rows": ('{"prompt": "  "}\n', "holds no prompt: 1 row left out, without text (line 1)"),
    "cut": ('{"prompt": "A?"}\n{"prompt": "B', ":2: "),
    "a-list-of-texts": ('["A?", "B?"]', "row 1: must be a JSON object"),
    "no-text": ('{"prompt": 3}\n', ":1: prompt must be a text or a list of turns"),
    "html": ("<html><body>Not found</body></html>", ""),
    "bytes": ("\x00\x01\x02", ""),
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("verb", ["rse", "plan"])
def test_a_prompt_file_of_another_shape_is_one_line_that_says_why(
    tmp_path: Path, verb: str, name: str
) -> None:
    text, said = BAD_FILES[name]
    (tmp_path / "p.jsonl").write_text(text)
    sets = '[[rse.prompts]]\nname = "own"\npath = "p.jsonl"\n'
    config = write(tmp_path, sets=sets)

    done = invoke(verb, config, "--cache", tmp_path / "cache")

    assert done.returncode == 2
    assert done.stderr.startswith("hydrometer: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert "p.jsonl" in done.stderr
    assert said in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.toml", "p.jsonl"]


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ('[[rse.prompts]]\nname = "own"\npath = "none.jsonl"\n', "none.jsonl cannot be read: no"),
        ('[[rse.prompts]]\nname = "genral"\n', "did you mean general?"),
        ('[[rse.prompts]]\nname = "mean"\npath = "c.toml"\n', "c.toml"),
        ('[[rse.prompts]]\nname = "own"\npath = "."\n', "cannot be read: is a directory"),
    ],
)
def test_a_set_that_cannot_be_found_is_one_line(tmp_path: Path, sets: str, said: str) -> None:
    done = rse(tmp_path, write(tmp_path, sets=sets))

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_set_called_mean_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"prompt": "A?"}\n')
    done = rse(tmp_path, write(tmp_path, sets='[[rse.prompts]]\nname = "mean"\npath = "p.jsonl"\n'))

    assert done.returncode == 2
    assert "a set cannot be called mean" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_set_whose_name_looks_like_markup_is_only_a_name(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"prompt": "A?"}\n')
    sets = '[[rse.prompts]]\nname = "[/b] x|y"\npath = "p.jsonl"\n'
    done = rse(tmp_path, write(tmp_path, targets=("family",), sets=sets))

    assert done.returncode == 0, done.stderr
    assert "[/b] x|y" in invoke("score", tmp_path / "runs").stdout
    assert "[/b] x\\|y" in invoke("score", tmp_path / "runs", "--format", "md").stdout


HTTP = """
[run]
seed = 3
[models.target]
provider = "http"
model = "sim-target"
base_url = "{url}"
api_key_env = "RSE_TEST_KEY"
headers = {{ "X-Team" = "audit" }}
{limits}
[models.reference]
provider = "http"
model = "sim-writer-a"
base_url = "{url}"
api_key_env = "RSE_TEST_KEY"
{limits}
[models.judge]
provider = "http"
model = "sim-judge"
base_url = "{url}"
api_key_env = "RSE_TEST_KEY"
{limits}
[rse]
targets = ["target"]
reference = "reference"
judge = "judge"
prompts = [{{ name = "general", limit = 8 }}, {{ name = "chat", limit = 4 }}]
"""
KEY = "no-key-but-a-word-of-its-own"
LIMITS = "attempts = 12\nslots = 3\nsampling = { max_tokens = 400 }"


def write_http(folder: Path, url: str, limits: str = LIMITS) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "c.toml"
    path.write_text(HTTP.format(url=url, limits=limits))
    return path


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RSE_TEST_KEY", KEY)


def rse_http(folder: Path, config: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return rse(folder, config, *more, out="run")


def kill_half_way(folder: Path, config: Path, lines: int) -> int:
    """Start a run and kill it with -9 when *lines* events are recorded; return how many were."""
    process = subprocess.Popen(
        command("rse", config, "--out", folder / "run", "--cache", folder / "cache", "-q"),
        cwd=folder,
        env=environment(),
        text=True,
    )
    events = folder / "run" / "events.jsonl"
    kill_when(
        lambda: events.exists() and events.read_bytes().count(b"\n") >= lines,
        process,
    )
    return events.read_bytes().count(b"\n")


def test_latencies_faults_and_a_kill_give_the_same_bytes(tmp_path: Path) -> None:
    plain, late, killed = (tmp_path / name for name in ("plain", "late", "killed"))
    with simulator() as url:
        first = rse_http(plain, write_http(plain, url))
    # So slow that the other half takes far longer than to notice the first one.
    with simulator("--latency-ms", "150", "--jitter-ms", "150") as url:
        lines = kill_half_way(killed, write_http(killed, url), 6)
    stored, before = keys_in(killed / "cache"), keys_sent(killed / "run")
    replayed = invoke("replay", killed / "run")
    with simulator("--latency-ms", "10", "--jitter-ms", "30") as url:
        resumed = rse_http(killed, write_http(killed, url), "--resume", "--no-preflight")
    with simulator("--errors", "0.1", "--jitter-ms", "5") as url:
        second = rse_http(late, write_http(late, url))

    assert first.returncode == second.returncode == resumed.returncode == 0, second.stderr
    assert 6 <= lines < 14
    assert replayed.returncode == 0, replayed.stderr
    assert f"{lines} events replayed, byte-identical; the run was stopped there" in replayed.stdout
    assert events_of(plain / "run") == events_of(late / "run") == events_of(killed / "run")
    assert b'"type":"failed"' not in events_of(plain / "run")
    # An answer is noted before it is stored, so at the kill both may differ by what was in flight.
    again = keys_sent(killed / "run")[len(before) :]
    assert again
    assert len(again) == len(set(again))
    assert not stored & set(again)
    assert stored | set(again) == keys_in(killed / "cache")
    assert invoke("replay", killed / "run").returncode == 0


def test_a_plan_has_no_address_no_path_and_no_key(tmp_path: Path) -> None:
    with simulator() as url:
        config = write_http(tmp_path / "secret-folder", url)
        text = config.read_text().partition("prompts =")[0]
        (tmp_path / "secret-folder" / "p.jsonl").write_text('{"prompt": "A?"}\n')
        config.write_text(text + 'prompts = [{ name = "own", path = "p.jsonl" }]\n')
        done = rse_http(tmp_path / "secret-folder", config)

    run = tmp_path / "secret-folder" / "run"
    assert done.returncode == 0, done.stderr
    for name in ("plan.json", "events.jsonl", "scores.json"):
        found = (run / name).read_text()
        for secret in (KEY, "RSE_TEST_KEY", "127.0.0.1", "p.jsonl", "secret-folder", "X-Team"):
            assert secret not in found, f"{secret} is in {name}"
    assert all(KEY not in path.read_text() for path in run.iterdir() if path.is_file())


class Endpoint(BaseHTTPRequestHandler):
    """Answers chat calls by rules that a test sets; a judge's reply has log probabilities."""

    too_long: ClassVar[str] = ""  # what makes a request exceed the context
    calls: ClassVar[Counter[str]] = Counter()
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = body["messages"][-1]["content"]
        self.calls[body["model"]] += 1
        if self.too_long and body["model"] == "writer" and self.too_long in text:
            reply: dict[str, object] = {
                "error": {"message": "maximum context length", "code": "context_length_exceeded"}
            }
            self._send(400, reply)
            return
        message: dict[str, object] = {"content": f"An answer of {body['model']}."}
        choice: dict[str, object] = {"message": message, "finish_reason": "stop"}
        if body["model"] == "judge":
            tokens = ["<style>", "4", "</style><logic>", "5", "</logic><content>", "3"]
            content = [
                {"token": token, "logprob": -0.693147, "top_logprobs": [
                    {"token": token, "logprob": -0.693147}, {"token": "1", "logprob": -0.693148},
                ]} for token in (*tokens, "</content>")
            ]  # fmt: skip
            choice["message"] = {"content": "".join((*tokens, "</content>"))}
            choice["logprobs"] = {"content": content}
        elif "REFUSE" in text:
            choice = {"message": {"content": None, "refusal": "no"}, "finish_reason": "stop"}
        elif "CUT" in text:
            choice["finish_reason"] = "length"
        self._send(200, {"choices": [choice], "model": body["model"]})

    def _send(self, code: int, reply: dict[str, object]) -> None:
        data = json.dumps(reply).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def endpoint(too_long: str = "") -> Iterator[tuple[str, type[Endpoint]]]:
    """Serve an Endpoint of its own in a thread; gives its address and its rules."""

    class Own(Endpoint):
        calls: ClassVar[Counter[str]] = Counter()

    Own.too_long = too_long
    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", Own
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_own(folder: Path, url: str, *prompts: str) -> Path:
    (folder / "p.jsonl").write_text("".join(json.dumps({"prompt": p}) + "\n" for p in prompts))
    models = "".join(
        f'[models.{name}]\nprovider = "http"\nmodel = "{model}"\nbase_url = "{url}"\n'
        for name, model in (("target", "writer"), ("reference", "other"), ("judge", "judge"))
    )
    config = folder / "c.toml"
    config.write_text(
        f'{models}[rse]\ntargets = ["target"]\nreference = "reference"\njudge = "judge"\n'
        'prompts = [{ name = "own", path = "p.jsonl" }]\n'
        "[rse.sampling.judge]\nextra = { logprobs = true, top_logprobs = 5 }\n"
    )
    return config


def test_what_exceeds_the_context_fails_its_prompt_and_is_asked_again_on_demand(
    tmp_path: Path,
) -> None:
    prompts = ("What is rain?", "A LONG question.", "REFUSE this.", "CUT this.", "And hail?")
    with endpoint(too_long="LONG") as (url, rules):
        config = write_own(tmp_path, url, *prompts)
        done = rse(tmp_path, config)
        found = scores_of(tmp_path / "runs")
        replayed = invoke("replay", tmp_path / "runs")
        rules.too_long = ""
        before = rules.calls.copy()
        resumed = rse(tmp_path, config, "--resume", "--no-preflight")
        kept = rules.calls == before
        retried = rse(tmp_path, config, "--retry-failed", "--no-preflight")
    asked = rules.calls - before

    assert done.returncode == 0, done.stderr
    overall = next(score for score in found if score["metric"] == "overall")
    states = ("n", "failed", "refused", "truncated", "unparsed")
    assert [overall[state] for state in states] == [2, 1, 1, 1, 0]
    assert overall["mean"] == pytest.approx((2.5 + 3.0 + 2.0) / 3, abs=1e-3)  # half of it is on 1
    assert "missing-data" in overall["flags"]
    assert replayed.returncode == 0, replayed.stderr
    assert resumed.returncode == 0
    assert kept
    assert retried.returncode == 0, retried.stderr
    assert asked == {"writer": 1, "judge": 2}
    again = next(s for s in scores_of(tmp_path / "runs") if s["metric"] == "overall")
    assert [again[state] for state in states] == [3, 0, 1, 1, 0]
    assert (tmp_path / "runs-before-retry-1" / "events.jsonl").exists()


def test_an_endpoint_that_refuses_every_request_pauses_the_run(tmp_path: Path) -> None:
    """It says something of the set-up, not of thirty prompts."""
    with endpoint(too_long="?") as (url, rules):
        config = write_own(tmp_path, url, *(f"Question {n}?" for n in range(60)))
        done = rse(tmp_path, config)

    assert done.returncode == 3
    assert "20 calls in a row to the target failed for good" in done.stderr
    assert status(tmp_path / "runs")["cause"] == "failing"
    assert rules.calls["writer"] < 120
