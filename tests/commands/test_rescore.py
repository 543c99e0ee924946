"""``hydrometer rescore``: another judge over the answers of a run, and never its target."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from processes import command, environment, invoke, keys_in, kill_when, simulator

from hydrometer.commands.batch import Batch, run_batch
from hydrometer.commands.listener import SilentListener
from hydrometer.commands.plugins import Plugins
from hydrometer.commands.rescore import RescoreJob, plan_rescoring, run_rescoring
from hydrometer.engine.errors import ConfigInvalid, RunStopped
from hydrometer.engine.ice.ice_measurement import ICE
from hydrometer.engine.ice.ice_plan import IcePlan
from hydrometer.engine.ice.ice_planning import build_ice_plan
from hydrometer.engine.identity.texts import load_texts
from hydrometer.engine.measurement import NamedPlan
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.records.recorded_run import RecordedRun
from hydrometer.engine.setup.config import Config, parse_config
from hydrometer.providers.errors import AccessDenied, RequestRejected
from hydrometer.providers.settings import ModelSettings
from hydrometer.providers.simulation.planting import Planting
from hydrometer.providers.simulation.simulated_adapter import answer
from hydrometer.providers.types import Request, Response
from hydrometer.report.tables.formats import to_json
from hydrometer.results.scoring import score_run
from hydrometer.testing import AdapterOf, FunctionProvider

MODELS = """
[models.target]
provider = "{provider}"
model = "sim-target"
vendor = "alibaba"
fact = "builtin:qwen"
{more}
[models.helper]
provider = "{provider}"
model = "sim-helper"
{more}
[models.judge]
provider = "{provider}"
model = "sim-judge"
{more}
[models.second]
provider = "{provider}"
model = "sim-judge"
revision = "second"
{more}
[ice]
targets = ["target"]
helper = "helper"
judge = "judge"
probes = 40
questions_per_visit = 5
"""


def write_config(
    folder: Path, text: str = "", *, provider: str = "simulated", more: str = ""
) -> Path:
    path = folder / "audit.toml"
    path.write_text(text + MODELS.format(provider=provider, more=more))
    return path


def ice(folder: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    return invoke(
        "ice", folder / "audit.toml", "--out", folder / "run", "--cache", folder / "cache", "-q",
        "--no-preflight", *more,
    )  # fmt: skip


def rescore(folder: Path, judge: str, *more: str | Path) -> subprocess.CompletedProcess[str]:
    return invoke(
        "rescore", folder / "run", "--judge", judge, "--config", folder / "audit.toml", "-q", *more
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    write_config(folder)
    done = ice(folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(recorded: Path, tmp_path: Path) -> Path:
    """A folder with audit.toml, a run judged by "judge", and its cache."""
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    status = tmp_path / "run" / "status.json"
    status.write_text(status.read_text().replace(str(recorded), str(tmp_path)))
    return tmp_path


def scores(run: Path) -> list[dict[str, Any]]:
    """Return what ``score --format json`` prints."""
    found: list[dict[str, Any]] = msgspec.json.decode(to_json(score_run(run, BUILT_IN)))
    return found


def layers(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "layers").glob("*"))


def layer_rows(run: Path, name: str) -> list[dict[str, Any]]:
    lines = (run / "layers" / f"{name}.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line) for line in lines[1:]]


def keys(run: Path) -> set[str]:
    """Return the keys of the judge calls that the layer of "second" rests on."""
    return {key for row in layer_rows(run, "second") for key in row["judgement"]["keys"]}


def one_line(done: subprocess.CompletedProcess[str], code: int = 2) -> str:
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()


def test_a_layer_stands_beside_the_runs_own_judge_and_nothing_else_changes(folder: Path) -> None:
    run = folder / "run"
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}

    by_rule, by_model = rescore(folder, "lexical"), rescore(folder, "second")

    assert by_rule.returncode == by_model.returncode == 0, by_rule.stderr + by_model.stderr
    after = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert {name for name in after if after[name] != before.get(name)} == {"scores.json"}
    assert layers(run) == ["lexical.jsonl", "second.jsonl"]
    found = [(s["judge"], s["prompt_version"], s["metric"], s["judged"]) for s in scores(run)]
    own, lexical = found[0][1], found[3][1]
    assert found == [
        ("judge", own, "loose", 40),
        ("judge", own, "strict", 40),
        ("judge", own, "hard", 40),
        ("lexical", lexical, "strict", 40),
        ("lexical", lexical, "hard", 40),
        ("second", own, "loose", 40),
        ("second", own, "strict", 40),
        ("second", own, "hard", 40),
    ]
    assert own != lexical
    printed = invoke("score", run, "--format", "json").stdout
    assert (run / "scores.json").read_text() == printed
    assert msgspec.json.decode(printed) == scores(run)


def test_the_table_names_every_judge(folder: Path) -> None:
    assert rescore(folder, "lexical").returncode == 0

    done = invoke("rescore", folder / "run", "--judge", "lexical")
    table = invoke("score", folder / "run", "--format", "md").stdout

    assert done.returncode == 0, done.stderr
    assert {"judge", "lexical"} <= {
        cell.strip() for line in table.splitlines() for cell in line.split("|")
    }


def test_the_same_judge_reads_the_same_way(folder: Path) -> None:
    """A model that is asked under another name, for the same identity, agrees with itself."""
    assert rescore(folder, "second").returncode == 0

    by_judge: dict[str, list[int]] = {}
    for score in scores(folder / "run"):
        by_judge.setdefault(score["judge"], []).append(score["positives"])
    assert by_judge["second"] == by_judge["judge"]
    assert by_judge["judge"][0] > 0


def test_the_rule_needs_no_config_and_no_cache(folder: Path) -> None:
    shutil.rmtree(folder / "cache")

    done = invoke("rescore", folder / "run", "--judge", "lexical", "-q")

    assert done.returncode == 0, done.stderr
    assert layers(folder / "run") == ["lexical.jsonl"]
    assert not (folder / "cache").exists()


def test_reading_once_more_writes_the_same_bytes(folder: Path) -> None:
    read = []
    for _ in range(2):
        assert rescore(folder, "second").returncode == 0
        read.append((folder / "run" / "layers" / "second.jsonl").read_bytes())

    assert read[0] == read[1]


def test_a_rescored_run_still_replays(folder: Path) -> None:
    assert rescore(folder, "second").returncode == 0

    assert invoke("replay", folder / "run").returncode == 0


def test_the_runs_own_judge_cannot_judge_it_again(folder: Path) -> None:
    said = one_line(rescore(folder, "judge"))

    assert "judge is the name of the judge of " in said
    assert said.endswith("run itself; give this judge another name")
    assert layers(folder / "run") == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody", "known: target, helper, judge, second, lexical"),
        ("", "known: target, helper, judge, second, lexical"),
        ("jugde", "did you mean judge?"),
        ("lexcal", "did you mean lexical?"),
    ],
)
def test_a_judge_that_nobody_knows_is_refused(folder: Path, name: str, said: str) -> None:
    assert one_line(rescore(folder, name)).endswith(
        f"--judge: no model and no judge is named {name}; {said}"
    )
    assert layers(folder / "run") == []


def test_a_kind_of_judge_that_asks_a_model_needs_one(folder: Path) -> None:
    said = one_line(rescore(folder, "identity"))

    assert said.endswith(
        "--judge: identity is a kind of judge that asks a model: give the name of that model "
        "instead, and --config with the file that has it"
    )
    assert layers(folder / "run") == []


def test_a_judge_that_nobody_knows_is_refused_without_a_config(folder: Path) -> None:
    said = one_line(invoke("rescore", folder / "run", "--judge", "lexcial"))

    assert said.endswith("no judge is named lexcial; did you mean lexical?")


def test_what_people_said_is_not_written_over(tmp_path: Path) -> None:
    row = {"template": "{query}", "question": "Who?", "response": "I am Zork."}
    (tmp_path / "phi.jsonl").write_text(json.dumps(row))
    (tmp_path / "said.jsonl").write_text(json.dumps({**row, "label": True}))
    config = tmp_path / "audit.toml"
    config.write_text('[models.labels]\nprovider = "simulated"\nmodel = "sim-judge"\n')
    imported = invoke(
        "import", tmp_path / "phi.jsonl", "--out", tmp_path / "run", "-q", "--fact", "I am Phi.",
        "--labels", tmp_path / "said.jsonl",
    )  # fmt: skip
    before = (tmp_path / "run" / "layers" / "labels.jsonl").read_bytes()

    said = one_line(
        invoke("rescore", tmp_path / "run", "--judge", "labels", "--config", config, "--cache",
               tmp_path / "cache")
    )  # fmt: skip

    assert imported.returncode == 0, imported.stderr
    assert "labels is the name of the layer with labels by people" in said
    assert (tmp_path / "run" / "layers" / "labels.jsonl").read_bytes() == before


def test_a_judge_that_would_share_answers_with_another_is_refused(folder: Path) -> None:
    """Else the "other" judge's verdicts are those of the first, from the cache, unasked."""
    text = MODELS.format(provider="simulated", more="").replace('revision = "second"\n', "")
    for name, port in (("judge", 9), ("second", 10)):
        served = f'provider = "http"\nbase_url = "http://127.0.0.1:{port}/v1"'
        text = text.replace(
            f'[models.{name}]\nprovider = "simulated"', f"[models.{name}]\n{served}"
        )
    job = RescoreJob(
        run=folder / "run", judge="second", config=parse_config(text, "audit.toml", BUILT_IN)
    )

    run = RecordedRun[IcePlan](folder / "run", BUILT_IN)
    assert ICE.rescoring is not None

    with pytest.raises(ConfigInvalid, match="at different addresses"):
        plan_rescoring(job, run, ICE.rescoring)


def test_what_is_no_run_is_refused(folder: Path) -> None:
    no_run = invoke("rescore", folder, "--judge", "lexical")
    no_config = invoke(
        "rescore", folder / "run", "--judge", "second", "--config", folder / "no.toml"
    )

    assert "is no run directory: it has no plan.json" in one_line(no_run)
    assert "no.toml cannot be read: no such file" in one_line(no_config)


def test_another_judge_of_the_same_name_is_refused_and_the_layer_left_as_it_was(
    folder: Path,
) -> None:
    assert rescore(folder, "second").returncode == 0
    layer = folder / "run" / "layers" / "second.jsonl"
    before = layer.read_bytes()
    config = folder / "audit.toml"
    config.write_text(config.read_text().replace('revision = "second"', 'revision = "third"'))

    said = one_line(rescore(folder, "second"))

    assert "layers/second.jsonl is the layer of another judge: judge.model.identity is " in said
    assert said.endswith("move it away, or give this judge another name")
    assert [name in said for name in ('@second" there', '@third" here')] == [True, True]
    assert layer.read_bytes() == before


def test_the_same_judge_with_other_sampling_is_another_judge(folder: Path) -> None:
    assert rescore(folder, "second").returncode == 0
    config = folder / "audit.toml"
    warm = 'revision = "second"\nsampling = { temperature = 0.9 }'
    config.write_text(config.read_text().replace('revision = "second"', warm))

    assert "judge.model.sampling.temperature is " in one_line(rescore(folder, "second"))


def test_names_that_differ_in_case_have_layers_of_their_own_on_any_disk(folder: Path) -> None:
    config = folder / "audit.toml"
    again = '[models.Second]\nprovider = "simulated"\nmodel = "sim-judge"\nrevision = "S"\n[ice]'
    config.write_text(config.read_text().replace("[ice]", again))

    assert rescore(folder, "second").returncode == rescore(folder, "Second").returncode == 0

    assert len({name.casefold() for name in layers(folder / "run")}) == 2
    assert {score["judge"] for score in scores(folder / "run")} == {"judge", "second", "Second"}


def test_a_run_that_another_process_works_on_is_left_alone(folder: Path) -> None:
    with (folder / "run" / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = one_line(rescore(folder, "lexical"))

    assert said.endswith("run is being run by another process")
    assert layers(folder / "run") == []


# Layers and the run that they belong to


def test_a_layer_of_another_run_is_refused(folder: Path) -> None:
    assert rescore(folder, "lexical").returncode == 0
    other = folder / "other"
    done = invoke(
        "ice", write_config(folder, "[run]\nseed = 8\n"), "--out", other, "--cache",
        folder / "cache", "-q",
    )  # fmt: skip
    shutil.copytree(folder / "run" / "layers", other / "layers")

    said = one_line(invoke("score", other))

    assert done.returncode == 0, done.stderr
    assert said.endswith("other/layers/lexical.jsonl is a layer of another run")
    assert one_line(invoke("rescore", other, "--judge", "lexical")) == said


def test_a_damaged_layer_is_named_by_its_line(folder: Path) -> None:
    assert rescore(folder, "lexical").returncode == 0
    layer = folder / "run" / "layers" / "lexical.jsonl"
    layer.write_bytes(layer.read_bytes()[:-20])

    assert "layers/lexical.jsonl:41: not a line of a layer: " in one_line(
        invoke("score", folder / "run")
    )


def test_a_draft_of_a_layer_is_no_layer(folder: Path) -> None:
    """What kill -9 leaves behind in the instant of the writing."""
    (folder / "run" / "layers").mkdir()
    (folder / "run" / "layers" / ".second.jsonl.new").write_text('{"type":"lay')

    assert {score["judge"] for score in scores(folder / "run")} == {"judge"}


def test_a_verdict_on_a_probe_that_the_run_does_not_have_is_named(folder: Path) -> None:
    assert rescore(folder, "lexical").returncode == 0
    layer = folder / "run" / "layers" / "lexical.jsonl"
    layer.write_bytes(layer.read_bytes().replace(b'"probe":39,', b'"probe":50000,'))

    for command_line in (
        ("score", folder / "run"),
        ("rescore", folder / "run", "--judge", "lexical"),
    ):
        said = one_line(invoke(*command_line))
        assert said.endswith("lexical.jsonl:41: the run has no probe 50000, its last is 39")


def test_answers_that_a_layer_has_lost_are_counted_and_read_again(folder: Path) -> None:
    assert rescore(folder, "lexical").returncode == 0
    layer = folder / "run" / "layers" / "lexical.jsonl"
    whole = layer.read_bytes()
    layer.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))

    found = [s for s in scores(folder / "run") if s["judge"] == "lexical"]
    done = rescore(folder, "lexical")

    assert [(s["judged"], s["unread"]) for s in found] == [(39, 1)] * 2
    assert all("partial-layer" in s["flags"] for s in found)
    assert done.returncode == 0, done.stderr
    assert layer.read_bytes() == whole


def test_answers_that_came_after_a_layer_do_not_enter_its_rates_and_flag_it(
    tmp_path: Path,
) -> None:
    write_config(tmp_path, "[run]\nbudget = { calls = 60 }\n")
    assert ice(tmp_path).returncode == 3
    assert rescore(tmp_path, "lexical").returncode == 0
    early = len(layer_rows(tmp_path / "run", "lexical"))
    write_config(tmp_path)
    assert ice(tmp_path, "--resume").returncode == 0

    strict = {s["judge"]: s for s in scores(tmp_path / "run") if s["metric"] == "strict"}
    again = rescore(tmp_path, "lexical")
    renewed = [s for s in scores(tmp_path / "run") if s["judge"] == "lexical"]

    assert 0 < early < 40
    assert [(s["judge"], s["judged"], s["unread"]) for s in strict.values()] == [
        ("judge", 40, 0),
        ("lexical", early, 40 - early),
    ]
    assert strict["lexical"]["worst"] - strict["lexical"]["best"] == 1 - early / 40
    assert "partial-layer" in strict["lexical"]["flags"]
    assert "partial-layer" not in strict["judge"]["flags"]
    assert again.returncode == 0, again.stderr
    assert len(layer_rows(tmp_path / "run", "lexical")) == 40
    assert all("partial-layer" not in score["flags"] for score in renewed)


def test_a_run_that_is_begun_anew_leaves_its_layers_with_the_old_one(folder: Path) -> None:
    assert rescore(folder, "lexical").returncode == 0

    done = ice(folder, "--retry-failed")

    assert done.returncode == 0, done.stderr
    assert layers(folder / "run") == []
    assert layers(folder / "run-before-retry-1") == ["lexical.jsonl"]


# Imported runs


@pytest.fixture
def imported(folder: Path) -> Callable[..., Path]:
    rows = [
        {"template": "{query}", "question": f"Who {n}?", "response": text}
        for n, text in enumerate(("I am ChatGPT by OpenAI.", "I am Qwen by Alibaba.", None))
    ]
    file = folder / "phi.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))

    def run_import(*more: str) -> Path:
        done = invoke("import", file, "--out", folder / "phi", "-q", *more)
        assert done.returncode == 0, done.stderr
        return folder / "phi"

    return run_import


def test_a_model_cannot_read_an_imported_run_without_a_fact(
    folder: Path, imported: Callable[..., Path]
) -> None:
    run = imported()

    said = one_line(
        invoke("rescore", run, "--judge", "second", "--config", folder / "audit.toml", "--cache",
               folder / "fresh")
    )  # fmt: skip

    assert "phi has no fact of its target, which second compares answers with" in said
    assert said.endswith("import it again with --fact")
    assert layers(run) == []
    assert not (folder / "fresh").exists()


def test_a_model_reads_an_imported_run_with_a_fact(
    folder: Path, imported: Callable[..., Path]
) -> None:
    run = imported("--fact", "builtin:qwen", "--vendor", "alibaba")

    done = invoke(
        "rescore", run, "--judge", "second", "--config", folder / "audit.toml", "-q", "--cache",
        folder / "fresh",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert [(s["metric"], s["positives"], s["judged"], s["failed"]) for s in scores(run)] == [
        ("loose", 1, 2, 1),
        ("strict", 1, 2, 1),
        ("hard", 1, 2, 1),
    ]
    assert invoke("replay", run).returncode == 2


# What is sent, counted by a provider of our own


class Counting:
    """A provider that counts the requests of each model and answers by rule."""

    def __init__(
        self, judged: Callable[[Request], Response | Exception | None] | None = None
    ) -> None:
        self.sent: dict[str, list[Request]] = {}
        self._judged = judged

    @asynccontextmanager
    async def open(
        self, settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AsyncIterator[AdapterOf]:
        sent = self.sent.setdefault(settings.model, [])

        def reply(request: Request) -> Response | Exception:
            sent.append(request)
            special = self._judged(request) if self._judged else None
            return special or answer(request, settings.model, Planting(rate=0.4))

        yield AdapterOf(FunctionProvider(reply))

    @property
    def plugins(self) -> Plugins:
        return Plugins(providers={"counting": self.open})


def counting_config(folder: Path, more: str = "") -> Config:
    text = MODELS.format(provider="counting", more=more).replace(
        '"sim-judge"\nrev', '"sim-judge-2"\nrev'
    )
    return parse_config(text, str(folder / "audit.toml"), BUILT_IN)


async def measure(folder: Path, counting: Counting) -> None:
    config = counting_config(folder)
    plan = build_ice_plan(config, "target", load_texts("builtin", "builtin", folder))
    batch = Batch(
        config=config,
        base=folder / "run",
        cache=folder / "cache",
        several=False,
        plugins=counting.plugins,
        preflight=False,
    )
    await run_batch(batch, (NamedPlan(name="target", plan=plan),), SilentListener())


async def read_again(folder: Path, counting: Counting) -> Path:
    job = RescoreJob(
        run=folder / "run",
        judge="second",
        config=counting_config(folder),
        plugins=counting.plugins,
    )
    await run_rescoring(job, SilentListener())
    (layer,) = (folder / "run" / "layers").iterdir()
    return layer


def judge_2(request: Request, model: str = "sim-judge") -> Response:
    return answer(request, model, Planting())


async def test_rescoring_opens_and_asks_the_judge_alone(tmp_path: Path) -> None:
    await measure(tmp_path, Counting())
    events = (tmp_path / "run" / "events.jsonl").read_bytes()
    counting = Counting(judge_2)

    layer = await read_again(tmp_path, counting)

    assert layer == tmp_path / "run" / "layers" / "second.jsonl"
    assert set(counting.sent) == {"sim-judge-2"}
    assert len(counting.sent["sim-judge-2"]) == len(keys(tmp_path / "run")) >= 40
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == events


async def test_rescoring_again_sends_nothing(tmp_path: Path) -> None:
    await measure(tmp_path, Counting())
    await read_again(tmp_path, Counting(judge_2))
    before = (tmp_path / "run" / "layers" / "second.jsonl").read_bytes()
    counting = Counting(judge_2)

    await read_again(tmp_path, counting)

    assert counting.sent == {"sim-judge-2": []}
    assert (tmp_path / "run" / "layers" / "second.jsonl").read_bytes() == before


async def test_only_what_a_layer_lacks_is_read_even_without_the_cache(tmp_path: Path) -> None:
    await measure(tmp_path, Counting())
    layer = await read_again(tmp_path, Counting(judge_2))
    whole = layer.read_bytes()
    lines = whole.splitlines(keepends=True)
    layer.write_bytes(b"".join(lines[:6] + lines[8:]))
    shutil.rmtree(tmp_path / "cache")
    counting = Counting(judge_2)

    await read_again(tmp_path, counting)

    assert layer.read_bytes() == whole
    assert 2 <= len(counting.sent["sim-judge-2"]) <= 4  # a loose and perhaps a strict question


async def test_failing_judge_calls_are_counted_as_failed_and_never_as_negative(
    tmp_path: Path,
) -> None:
    await measure(tmp_path, Counting())
    refused: set[str] = set()

    def sometimes(request: Request) -> Response | Exception:
        text = request.messages[-1].content
        if len(text) % 3 == 0:
            refused.add(text)
            return RequestRejected("content policy", status=400)
        return judge_2(request)

    await read_again(tmp_path, Counting(sometimes))
    found = {s["metric"]: s for s in scores(tmp_path / "run") if s["judge"] == "second"}
    rows = layer_rows(tmp_path / "run", "second")
    lost = sum(bool(row["judgement"]["failures"]) for row in rows)
    counting = Counting(judge_2)
    await read_again(tmp_path, counting)
    mended = {s["metric"]: s for s in scores(tmp_path / "run") if s["judge"] == "second"}

    assert 0 < lost < 40
    assert found["strict"]["failed"] == found["hard"]["failed"] == lost
    assert found["loose"]["failed"] <= lost
    assert all(score["judged"] + score["failed"] == 40 for score in found.values())
    assert "missing-data" in found["strict"]["flags"]
    assert len(counting.sent["sim-judge-2"]) >= len(refused)  # only these, and what follows them
    assert {r.messages[-1].content for r in counting.sent["sim-judge-2"]} >= refused
    assert all((score["judged"], score["failed"]) == (40, 0) for score in mended.values())


async def test_a_judge_that_answers_nobody_leaves_no_layer_and_the_old_one_as_it_was(
    tmp_path: Path,
) -> None:
    await measure(tmp_path, Counting())

    with pytest.raises(RunStopped) as stopped:
        await read_again(tmp_path, Counting(lambda _: AccessDenied("wrong key", status=401)))
    nothing = layers(tmp_path / "run")
    await read_again(tmp_path, Counting(judge_2))
    layer = tmp_path / "run" / "layers" / "second.jsonl"
    before = b"".join(layer.read_bytes().splitlines(keepends=True)[:-5])
    layer.write_bytes(before)
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(RunStopped):
        await read_again(tmp_path, Counting(lambda _: AccessDenied("wrong key", status=401)))

    assert stopped.value.cause == "access"
    assert nothing == []
    assert layer.read_bytes() == before


def test_a_budget_stops_a_reading_and_it_goes_on_without_one(folder: Path) -> None:
    write_config(folder, "[run]\nbudget = { calls = 7 }\n")
    stopped = rescore(folder, "second")
    left = layers(folder / "run")
    write_config(folder)
    done = rescore(folder, "second")

    assert stopped.returncode == 3, stopped.stderr
    assert "budget" in stopped.stderr.splitlines()[0]
    assert left == []
    assert done.returncode == 0, done.stderr


def test_a_budget_counts_what_earlier_readings_by_the_same_judge_spent(folder: Path) -> None:
    kept = stored(folder / "cache")
    asked = []
    for budget in (20, 20, 35, 35):
        write_config(folder, f"[run]\nbudget = {{ calls = {budget} }}\n")
        done = rescore(folder, "second")
        assert done.returncode == 3, done.stderr
        assert f"run.budget calls = {budget} is reached: {budget} calls sent" in done.stderr
        asked.append(stored(folder / "cache") - kept)
    write_config(folder)
    done = rescore(folder, "second")

    assert asked == [20, 20, 35, 35]
    assert done.returncode == 0, done.stderr


def test_a_budget_counts_the_readings_of_a_run_that_was_set_aside(folder: Path) -> None:
    write_config(folder, "[run]\nbudget = { calls = 20 }\n")
    assert rescore(folder, "second").returncode == 3
    write_config(folder)
    assert ice(folder, "--retry-failed").returncode == 0
    write_config(folder, "[run]\nbudget = { calls = 20 }\n")
    kept = stored(folder / "cache")

    assert rescore(folder, "second").returncode == 3
    assert stored(folder / "cache") == kept


def test_the_models_own_budget_counts_them_too(folder: Path) -> None:
    kept = stored(folder / "cache")
    config = folder / "audit.toml"
    config.write_text(
        config.read_text().replace("[models.second]", "[models.second]\nbudget = { calls = 9 }")
    )

    stopped = [rescore(folder, "second") for _ in range(2)]

    assert [done.returncode for done in stopped] == [3, 3]
    assert "models.second.budget calls = 9 is reached" in stopped[1].stderr
    assert stored(folder / "cache") - kept == 9


def test_neither_another_judge_nor_the_run_is_charged_for_a_reading(folder: Path) -> None:
    run = folder / "run"
    timings = (run / "timings.jsonl").read_bytes()
    assert rescore(folder, "second").returncode == 0
    sent = len(keys(run))
    third = '[models.third]\nprovider = "simulated"\nmodel = "sim-judge"\nrevision = "3"\n[ice]'
    write_config(folder, f"[run]\nbudget = {{ calls = {sent} }}\n")
    config = folder / "audit.toml"
    config.write_text(config.read_text().replace("[ice]", third))

    done = rescore(folder, "third")

    assert done.returncode == 0, done.stderr
    assert (run / "timings.jsonl").read_bytes() == timings
    assert len(list((run / "timings").iterdir())) == 2


def test_what_a_reading_took_is_noted_without_texts_and_is_no_layer(folder: Path) -> None:
    run = folder / "run"
    assert rescore(folder, "second").returncode == 0
    (timings,) = (run / "timings").iterdir()

    rows = [msgspec.json.decode(line) for line in timings.read_bytes().splitlines()]

    assert {row["pool"] for row in rows} == {"second"}
    assert sum(row.get("source") == "sent" for row in rows) == len(keys(run))
    assert {row["model"] for row in rows if "source" in row} == {"sim-judge"}
    assert rows[-1]["statistics"]["endpoints"][0]["sent"] == len(keys(run))
    assert {key for row in rows for key in row} == {
        *(
            "key",
            "pool",
            "source",
            "took_s",
            "model",
            "fingerprint",
            "endpoint",
            "usage",
            "counted",
        ),
        "statistics",
    }
    assert {score["judge"] for score in scores(run)} == {"judge", "second"}


def test_a_cut_line_of_an_earlier_reading_spoils_no_other(folder: Path) -> None:
    write_config(folder, "[run]\nbudget = { calls = 20 }\n")
    assert rescore(folder, "second").returncode == 3
    (timings,) = (folder / "run" / "timings").iterdir()
    timings.write_bytes(timings.read_bytes() + b'{"key":"ab')

    write_config(folder)
    assert rescore(folder, "second").returncode == 0

    sent = timings.read_bytes().count(b'"source":"sent"')
    assert sent == len(keys(folder / "run"))
    assert all(msgspec.json.decode(line) for line in timings.read_bytes().splitlines())


def test_a_judge_that_answered_under_two_ids_flags_its_layer_alone(folder: Path) -> None:
    run = folder / "run"
    assert rescore(folder, "second").returncode == rescore(folder, "lexical").returncode == 0
    (timings,) = (run / "timings").iterdir()
    lines = timings.read_bytes().splitlines(keepends=True)
    other = [line.replace(b'"model":"sim-judge"', b'"model":"sim-judge-0807"') for line in lines]
    timings.write_bytes(b"".join([*lines[:30], *other[30:]]))

    shown = invoke("score", run)

    flagged = {s["judge"] for s in scores(run) if "changed-model" in s["flags"]}
    assert flagged == {"second"}
    assert "rescored by second: second answered under 2 ids: sim-judge" in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_progress_is_shown_on_stderr_and_quiet_hides_it(folder: Path) -> None:
    said = invoke("rescore", folder / "run", "--judge", "lexical")
    quiet = rescore(folder, "second")

    assert said.returncode == quiet.returncode == 0, said.stderr + quiet.stderr
    assert said.stderr.startswith("lexical: 40/40 probes, ")
    assert ", strict " in said.stderr
    assert (quiet.stdout, quiet.stderr) == ("", "")


def test_a_stopped_reading_does_not_advise_an_option_that_it_does_not_have(folder: Path) -> None:
    write_config(folder, "[run]\nbudget = { calls = 7 }\n")

    assert "--resume" not in rescore(folder, "second").stderr


# Real processes


def calls(url: str) -> int:
    with urllib.request.urlopen(f"{url.removesuffix('/v1')}/stats") as reply:
        return int(msgspec.json.decode(reply.read())["calls"])


def stored(cache: Path) -> int:
    said = invoke("cache", "info", "--cache", cache).stdout
    return int(said.partition("answers")[2].split()[0].replace(",", ""))


def kill_while_reading(folder: Path, url: str, *, after: int = 12) -> None:
    """Have "second", served at *url*, read the run, and kill that *after* so many calls."""
    config = folder / "audit.toml"
    simulated = '[models.second]\nprovider = "simulated"\n'
    served = f'[models.second]\nprovider = "http"\nbase_url = "{url}"\nslots = 4\n'
    config.write_text(config.read_text().replace(simulated, served))
    process = subprocess.Popen(
        command("rescore", folder / "run", "--judge", "second", "--config", config),
        cwd=folder,
        env=environment(),
        text=True,
    )
    kill_when(lambda: calls(url) >= after, process)


def serve_quickly(folder: Path, slow: str, quick: str) -> None:
    """Have the models that were served at *slow* be served at *quick*."""
    config = folder / "audit.toml"
    config.write_text(config.read_text().replace(slow, quick))


def sent_again(run: Path, stored: set[str]) -> list[str]:
    """Return the keys of answers that were *stored* before, and sent in the last reading of *run*.

    A reading that was killed may have noted calls whose answers were not stored.
    """
    (timings,) = (run / "timings").iterdir()
    rows = [msgspec.json.decode(line) for line in timings.read_bytes().splitlines()]
    sent = [row["key"] for row in rows if row.get("source") == "sent"]
    return [key for key, count in Counter(sent).items() if key in stored and count > 1]


def test_a_killed_reading_leaves_no_half_layer_and_goes_on_for_what_is_missing(
    folder: Path,
) -> None:
    run, cache = folder / "run", folder / "cache"
    kept = keys_in(cache)
    # So slow that the rest takes far longer than to notice the first calls.
    with simulator("--latency-ms", "300") as slow, simulator() as quick:
        kill_while_reading(folder, slow)
        half, judged = layers(run), {score["judge"] for score in scores(run)}
        begun, paid = calls(slow), keys_in(cache) - kept
        serve_quickly(folder, slow, quick)
        done = rescore(folder, "second")
        ended = calls(quick)
        again = rescore(folder, "second")

        assert calls(quick) == ended

    assert (half, judged) == ([], {"judge"})
    assert done.returncode == again.returncode == 0, done.stderr + again.stderr
    assert 0 < len(paid) < len(keys(run)) <= 100
    assert begun - len(paid) <= 4 + 8  # in flight, or answered and not yet written, at the kill
    assert sent_again(run, paid) == []
    assert ended == len(keys(run)) - len(paid)


def test_a_budget_outlives_a_killed_reading(folder: Path) -> None:
    with simulator("--latency-ms", "200") as url:
        write_config(folder, "[run]\nbudget = { calls = 30 }\n")
        kill_while_reading(folder, url, after=22)
        stopped = rescore(folder, "second")
        reached = calls(url)
        again = rescore(folder, "second")

        assert calls(url) == reached

    assert stopped.returncode == again.returncode == 3, stopped.stderr + again.stderr
    assert 30 <= reached <= 30 + 4 + 8  # under way, or answered and not yet noted, at the kill
