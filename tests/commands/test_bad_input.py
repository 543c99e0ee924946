"""What a user can get wrong: one clear line, the right exit code, nothing lost."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import command, environment, hydrometer, invoke, simulator, write_config

SECRET = "sk-do-not-print-me-0123456789abcdef"

OFFLINE = """
[models.target]
provider = "simulated"
model = "sim-target"
vendor = "alibaba"
fact = "builtin:qwen"
[models.helper]
provider = "simulated"
model = "sim-helper"
[ice]
targets = ["target"]
helper = "helper"
probes = {probes}
questions_per_visit = 5
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "audit.toml"
    path.write_text(text)
    return path


def offline(folder: Path, *more: str, probes: int = 30) -> Path:
    return write(folder, OFFLINE.format(probes=probes) + "\n".join(more))


def ice(folder: Path, config: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    return invoke("ice", config, "--out", folder / "run", "--cache", folder / "cache", "-q", *more)


def one_line(done: subprocess.CompletedProcess[str], code: int = 2) -> str:
    """Return the only line of the error, after checking that it is one."""
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert SECRET not in done.stderr + done.stdout
    return done.stderr.strip()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run]\nsed = 1", "audit.toml: run.sed: unknown key; did you mean seed?"),
        ("[rum]\nseed = 1", "audit.toml: rum: unknown key; did you mean run?"),
        (
            '[models.a]\nprovider = "http"\nmodel = "m"\nbase_url = "http://h/v1"\nslot = 3',
            "audit.toml: models.a.slot: unknown key; did you mean slots?",
        ),
        (
            '[models.a]\nprovider = "http"\nmodel = "m"\n[[models.a.endpoints]]\n'
            'base_url = "http://h/v1"\n[[models.a.endpoints]]\nslot = 3',
            "audit.toml: models.a.endpoints[1].slot: unknown key; did you mean slots?",
        ),
        ("[run\nseed = 1", "audit.toml is not TOML: Expected ']' at the end of a table"),
        ("[run]\nwindow = 0", "audit.toml: run.window must be at least 1, got 0"),
        ('[run]\nseed = "one"', "audit.toml: run.seed: expected int, got str"),
        ('[ice]\npreset = "papr"', "audit.toml: ice.preset: must be one of standard, paper"),
        ("[models]\na = 3", "audit.toml: models.a: expected object, got int"),
        ("", "ice.targets is empty: name a model to measure, or give --target"),
    ],
)
def test_a_wrong_setting_is_named_by_its_path(tmp_path: Path, text: str, said: str) -> None:
    assert said in one_line(ice(tmp_path, write(tmp_path, text)))


@pytest.mark.parametrize(
    "line",
    [
        f'api_key = "{SECRET}"',
        f'api_key_env = "{SECRET}"',
        f'headers = {{ Authorization = "Bearer {SECRET}" }}',
        f'headers = {{ X-Team-Key = "{SECRET[:9]}" }}',
        f'model = "{SECRET}"',
        f'base_url = "http://user:{SECRET}@host/v1"',
        f'base_url = "http://host/v1?key={SECRET}"',
        f'sampling = {{ extra = {{ user = "{SECRET}" }} }}',
    ],
)
def test_a_key_in_the_file_is_refused_and_never_echoed(tmp_path: Path, line: str) -> None:
    lines = {"model": 'model = "m"', "base_url": 'base_url = "http://host/v1"'}
    lines[line.partition(" ")[0]] = line
    text = '[models.a]\nprovider = "http"\n' + "\n".join(lines.values())

    said = one_line(ice(tmp_path, write(tmp_path, text)))

    assert "models.a" in said
    assert SECRET[:9] not in said
    assert not (tmp_path / "run").exists()


def test_a_missing_key_variable_is_named(tmp_path: Path) -> None:
    config = write_config(tmp_path, "http://127.0.0.1:9/v1")
    config.write_text(
        config.read_text().replace(
            'model = "sim-judge"', 'model = "sim-judge"\napi_key_env = "NO_SUCH_KEY"'
        )
    )

    said = one_line(ice(tmp_path, config))

    assert "models.judge.api_key_env names NO_SUCH_KEY, which is not set" in said


def test_a_key_reaches_the_endpoint_and_no_file(tmp_path: Path) -> None:
    with simulator() as url:
        config = write_config(tmp_path, url, probes=10)
        text = config.read_text().replace(
            'provider = "http"',
            'provider = "http"\napi_key_env = "PLANTED_KEY"\n'
            'headers = { X-Key = "env:PLANTED_KEY" }',
        )
        config.write_text(text)
        done = hydrometer(
            "ice", config, "--out", tmp_path / "run", "--cache", tmp_path / "cache", "-v",
            cwd=tmp_path, PLANTED_KEY=SECRET,
        )  # fmt: skip

    assert done.returncode == 0, done.stderr
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 6
    assert SECRET not in done.stdout + done.stderr
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("name", "setting", "content", "said"),
    [
        ("q.csv", "questions", b"", "q.csv holds no question"),
        ("q.csv", "questions", b"text\n", "q.csv holds no question"),
        ("q.csv", "questions", b"text\n\xff\xfe\n", "q.csv is not UTF-8 text (byte 5)"),
        ("q.csv", "questions", b"text\nWho?\nWho?\n", "q.csv: question 'Who?' occurs twice"),
        ("q.csv", "questions", b"words\nWho?\n", "q.csv:2: needs one of text, question, query"),
        ("q.jsonl", "questions", b'{"text": "a"}\n{"te', "q.jsonl:2: not JSON"),
        ("q.jsonl", "questions", b'{"text": " "}\n', "q.jsonl:1: the question is empty"),
        ("t.jsonl", "templates", b'{"text": "no slot"}\n', "t.jsonl:1: a template needs exactly"),
        ("t.jsonl", "templates", b'{"text": "{query} {query}"}\n', "exactly one {query}, got 2"),
        ("t.jsonl", "templates", b"", "t.jsonl holds no template"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(
    tmp_path: Path, name: str, setting: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)

    assert said in one_line(ice(tmp_path, offline(tmp_path, f'{setting} = "{name}"')))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    no_questions = ice(tmp_path, offline(tmp_path, 'questions = "none.csv"'))
    no_config = ice(tmp_path, tmp_path / "none.toml")

    assert "none.csv cannot be read: no such file" in one_line(no_questions)
    assert "none.toml cannot be read: no such file" in one_line(no_config)


def test_a_run_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = offline(tmp_path)

    done = invoke("ice", config, "--out", tmp_path / "file" / "run")

    assert "file/run cannot be written: not a directory" in one_line(done)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("x")

    assert "run is not empty, and holds no run" in one_line(ice(tmp_path, offline(tmp_path)))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("more", [(), ("--resume",), ("--retry-failed",)])
def test_a_run_of_another_plan_is_left_alone(tmp_path: Path, more: tuple[str, ...]) -> None:
    assert ice(tmp_path, offline(tmp_path)).returncode == 0
    before = (tmp_path / "run" / "events.jsonl").read_bytes()

    said = one_line(ice(tmp_path, offline(tmp_path, probes=40), *more))

    assert "run holds a run of another plan: probes is 30 there and 40 here" in said
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == before


def test_a_finished_run_is_not_run_over(tmp_path: Path) -> None:
    config = offline(tmp_path)
    assert ice(tmp_path, config).returncode == 0

    assert "already holds this run: --resume goes on with it" in one_line(ice(tmp_path, config))
    assert ice(tmp_path, config, "--resume").returncode == 0


def test_resuming_with_another_cache_is_refused(tmp_path: Path) -> None:
    config = offline(tmp_path)
    assert ice(tmp_path, config).returncode == 0

    done = ice(tmp_path, config, "--resume", "--cache", tmp_path / "other")

    assert "go on with --cache and that folder" in one_line(done)


def test_resuming_over_a_changed_event_changes_nothing(tmp_path: Path) -> None:
    config = offline(tmp_path)
    assert ice(tmp_path, config).returncode == 0
    events = tmp_path / "run" / "events.jsonl"
    events.write_bytes(events.read_bytes().replace(b'"judged":5', b'"judged":4', 1))
    before = events.read_bytes()

    said = one_line(ice(tmp_path, config, "--resume"))

    assert "events.jsonl does not match a replay of this plan and cache; the file was not " in said
    assert "changed: event " in said
    assert events.read_bytes() == before


def limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


# As the cache is opened, and in the middle of the run: SQLite takes the limit for a broken disk.
@pytest.mark.parametrize("size", [120_000, 300_000])
def test_a_file_that_cannot_grow_stops_the_run_and_loses_nothing(tmp_path: Path, size: int) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    assert ice(whole, offline(whole, probes=200)).returncode == 0
    config = offline(tmp_path, probes=200)
    args: list[str | Path] = [
        "ice",
        config,
        "--out",
        tmp_path / "run",
        "--cache",
        tmp_path / "cache",
        "-q",
    ]

    done = subprocess.run(
        command(*args),
        cwd=tmp_path,
        env=environment(),
        preexec_fn=lambda: limit_files(size),
        capture_output=True,
        text=True,
        check=False,
    )
    resumed = ice(tmp_path, config, "--resume")

    assert done.returncode == 3, done.stderr
    assert f"answers cannot be stored in {tmp_path / 'cache'}: " in done.stderr.splitlines()[0]
    assert "--resume" in done.stderr.splitlines()[1]
    assert resumed.returncode == 0, resumed.stderr
    events = [folder / "run" / "events.jsonl" for folder in (whole, tmp_path)]
    assert events[0].read_bytes() == events[1].read_bytes()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full_stops_the_run_and_it_goes_on_with_room(
    tmp_path: Path, tiny_disk: Path
) -> None:
    config = offline(tmp_path, probes=400)
    args: tuple[str | Path, ...] = (config, "--out", tiny_disk / "run", "--cache", "cache", "-q")
    filler = tiny_disk / "filler"
    filler.write_bytes(b"x" * 500_000)

    done = hydrometer("ice", *args, cwd=tmp_path)
    filler.unlink()
    os.sync()
    subprocess.run(["mount", "-o", "remount,size=8m", str(tiny_disk)], check=True)
    resumed = hydrometer("ice", *args, "--resume", cwd=tmp_path)
    replayed = hydrometer("replay", tiny_disk / "run", cwd=tmp_path)

    assert done.returncode == 3, done.stderr
    assert "cannot be written: the disk is full" in done.stderr
    assert resumed.returncode == 0, resumed.stderr
    assert replayed.returncode == 0, replayed.stderr


def test_replay_and_score_of_no_run_say_so(tmp_path: Path) -> None:
    assert "is no run directory: it has no plan.json" in one_line(invoke("replay", tmp_path))
    assert "is no run directory" in one_line(invoke("score", tmp_path))


def test_a_damaged_event_is_named_by_its_line(tmp_path: Path) -> None:
    assert ice(tmp_path, offline(tmp_path)).returncode == 0
    events = tmp_path / "run" / "events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(b"".join([*lines[:3], b'{"type":"nonsense"}\n', *lines[3:]]))

    said = one_line(invoke("score", tmp_path / "run"))

    assert "events.jsonl:4: not an event" in said


def test_init_never_writes_over_a_file(tmp_path: Path) -> None:
    first = invoke("init", tmp_path)
    written = (tmp_path / "hydrometer.toml").read_text()
    second = invoke("init", tmp_path)

    assert first.returncode == 0
    assert "hydrometer.toml exists already, and is left as it is" in one_line(second)
    assert (tmp_path / "hydrometer.toml").read_text() == written


def test_two_models_that_would_share_answers_need_a_revision(tmp_path: Path) -> None:
    config = write_config(tmp_path, "http://127.0.0.1:9/v1")
    text = config.read_text().replace('model = "sim-judge"', 'model = "sim-target"')
    head, _, tail = text.rpartition("http://127.0.0.1:9/v1")
    config.write_text(f"{head}http://127.0.0.1:10/v1{tail}")

    said = one_line(ice(tmp_path, config))

    assert "are both http:sim-target at different addresses" in said
    assert "give one of them a revision" in said


RSE = """
[models.origin]
provider = "simulated"
model = "sim-writer"
[models.judge]
provider = "simulated"
model = "sim-judge"
[rse]
targets = ["target"]
reference = "origin"
judge = "judge"
prompts = [{ name = "general", limit = 1 }]
"""


@pytest.mark.parametrize("verb", ["plan", "measure"])
@pytest.mark.parametrize("kind", ["ice", "rse"])
@pytest.mark.parametrize(
    ("provider", "hint"),
    [("htpp", "did you mean http?"), ("parrot", "known: http, openai, simulated")],
)
def test_an_unknown_provider_is_named_with_a_hint_for_every_measurement(
    tmp_path: Path, kind: str, verb: str, provider: str, hint: str
) -> None:
    text = OFFLINE.format(probes=30)
    if kind == "rse":
        text = text.partition("[ice]")[0] + RSE
    config = write(tmp_path, text.replace('"simulated"', f'"{provider}"', 1))
    words = ("plan",) if verb == "plan" else (kind, "--out", str(tmp_path / "run"))

    said = one_line(invoke(*words, config, "--cache", tmp_path / "cache", "-q"))

    assert said == (f"hydrometer: models.target.provider: unknown provider {provider}; {hint}")
    assert [path.name for path in tmp_path.iterdir()] == ["audit.toml"]
