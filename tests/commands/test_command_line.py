"""What all commands have in common: help, --quiet, --verbose, --debug, and a quick start."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from processes import COMMAND, HANG_S, TWO_TARGETS, environment, invoke, keys_in

from hydrometer.command_line.own_name import typed_name

SLOW_TO_IMPORT = {"numpy", "aiohttp", "openai", "rich", "structlog", "diskcache", "tenacity"}
MODULES = 400  # Python's own included; 276 for --help and 352 for ice --help at the time of writing


def commands(command: Any = COMMAND, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command; a group has commands of its own."""
    if not hasattr(command, "commands"):
        yield path
        return
    for name, inner in command.commands.items():
        yield from commands(inner, (*path, name))


ALL = sorted(commands())


def test_all_commands_are_found() -> None:
    assert [" ".join(words) for words in ALL] == [
        *("cache explain", "cache info", "cache verify", "demo", "ice", "import", "init", "plan"),
        *("replay", "rescore", "rse", "score", "simulate"),
    ]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_the_help_of_every_command_has_an_example_and_the_common_options(
    words: tuple[str, ...],
) -> None:
    done = invoke(*words, "--help")

    text = " ".join(done.stdout.split())
    assert done.returncode == 0
    assert f"Example: hydrometer {' '.join(words)}" in text
    assert (
        "-q, --quiet Print errors only; score, plan, demo and cache still print what they are for."
        in text
    )
    assert "-v, --verbose Print more, such as the files used and the time." in text
    assert "--debug Show the traceback of an error." in text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with audit.toml, runs of its two targets, their cache, and transcripts."""
    folder = tmp_path_factory.mktemp("folder")
    judge = '[models.judge]\nprovider = "simulated"\nmodel = "sim-judge"\n'
    text = TWO_TARGETS.replace('"alibaba"', '"alibaba"\nfact = "I am Sim."')
    (folder / "audit.toml").write_text(text + judge)
    row = {"template": "{query}", "question": "Who?", "response": "I am Claude.", "verdict": True}
    (folder / "t.jsonl").write_text(json.dumps(row))
    done = invoke(
        *("ice", folder / "audit.toml", "--out", folder / "runs", "--cache", folder / "cache")
    )
    assert done.returncode == 0, done.stderr
    return folder


Words = Callable[[Path, Path], Sequence[str | Path]]  # of the folder, and of an empty one

COMMANDS: dict[str, Words] = {
    "plan": lambda folder, _: ("plan", folder / "audit.toml", "--cache", folder / "cache"),
    "ice": lambda folder, empty: (
        *("ice", folder / "audit.toml", "--out", empty / "runs", "--cache", folder / "cache"),
    ),
    "replay": lambda folder, _: ("replay", folder / "runs" / "one"),
    "score": lambda folder, _: ("score", folder / "runs"),
    "import": lambda folder, empty: ("import", folder / "t.jsonl", "--out", empty / "run"),
    "rescore": lambda folder, _: (
        *("rescore", folder / "runs" / "two", "--judge", "judge"),
        *("--config", folder / "audit.toml"),
    ),
    "init": lambda _, empty: ("init", empty),
    "cache info": lambda folder, _: ("cache", "info", "--cache", folder / "cache"),
    "cache verify": lambda folder, _: ("cache", "verify", "--cache", folder / "cache"),
    "cache explain": lambda folder, _: (
        *("cache", "explain", sorted(keys_in(folder / "cache"))[0]),
        *("--cache", folder / "cache"),
    ),
}


def three(folder: Path, tmp_path: Path, name: str) -> tuple[subprocess.CompletedProcess[str], ...]:
    """Run a command plainly, quietly and verbosely."""
    done = []
    for option in ((), ("-q",), ("-v",)):
        empty = tmp_path / "".join(("empty", *option))
        empty.mkdir()
        done.append(invoke(*COMMANDS[name](folder, empty), *option))
        assert done[-1].returncode == 0, done[-1].stderr
    return tuple(done)


@pytest.mark.parametrize("name", COMMANDS)
def test_verbose_says_how_long_every_command_took_and_changes_no_result(
    folder: Path, tmp_path: Path, name: str
) -> None:
    plain, _, verbose = three(folder, tmp_path, name)

    assert "took" not in plain.stderr
    assert verbose.stderr.splitlines()[-1].startswith("hydrometer: took ")
    assert len(verbose.stdout.splitlines()) >= len(plain.stdout.splitlines())


# What was asked for is the result itself: quiet takes nothing from it.
@pytest.mark.parametrize("name", ["plan", "score"])
def test_quiet_prints_the_result_that_was_asked_for(
    folder: Path, tmp_path: Path, name: str
) -> None:
    plain, quiet, _ = three(folder, tmp_path, name)

    assert quiet.stdout == plain.stdout != ""
    assert quiet.stderr == ""


@pytest.mark.parametrize("name", ["ice", "import", "init", "replay", "rescore", "cache verify"])
def test_quiet_prints_nothing_of_what_went_well(folder: Path, tmp_path: Path, name: str) -> None:
    plain, quiet, _ = three(folder, tmp_path, name)

    assert plain.stdout != ""
    assert (quiet.stdout, quiet.stderr) == ("", "")


def test_quiet_cache_commands_print_the_bare_answer(folder: Path, tmp_path: Path) -> None:
    info = invoke(*COMMANDS["cache info"](folder, tmp_path), "-q")
    explained, bare, _ = three(folder, tmp_path, "cache explain")

    assert info.stdout == f"{len(keys_in(folder / 'cache'))}\n"
    told = dict(line.split(": ", 1) for line in explained.stdout.splitlines())
    assert bare.stdout == json.loads(told["answer"]) + "\n"


def test_verbose_names_the_config_the_cache_and_the_runs(folder: Path, tmp_path: Path) -> None:
    _, _, planned = three(folder, tmp_path, "plan")

    assert planned.stderr.splitlines()[0] == (
        f"hydrometer: config {folder / 'audit.toml'}, cache {folder / 'cache'}"
    )


@pytest.mark.parametrize(
    "words", [("replay", "none"), ("score", "none"), ("cache", "info", "--cache", "none")]
)
def test_debug_shows_where_an_error_came_from_before_its_line(words: tuple[str, ...]) -> None:
    plain, debug = invoke(*words), invoke(*words, "--debug")

    assert plain.returncode == debug.returncode == 2
    assert plain.stderr.count("\n") == 1
    assert "Traceback" in debug.stderr
    assert debug.stderr.splitlines()[-1] == plain.stderr.strip()


LOADED = """
import json, runpy, sys
sys.argv = ["hydrometer", *sys.argv[1:]]
try:
    runpy.run_module("hydrometer", run_name="__main__", alter_sys=True)
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]), file=sys.stderr)
"""


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("ice", "--help")])
def test_help_comes_before_anything_slow_is_loaded(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=True,
    )

    code, loaded = json.loads(done.stderr)
    assert code == 0
    assert {name.partition(".")[0] for name in loaded} & SLOW_TO_IMPORT == set()
    assert len(loaded) < MODULES


@pytest.mark.parametrize(
    ("words", "option", "default"),
    [
        (("ice",), "--out PATH", "runs/CONFIG-NAME"),
        (("rse",), "--out PATH", "runs/CONFIG-NAME-rse"),
        (("plan",), "--cache PATH", "that of HYDROMETER_CACHE or the config"),
        (("replay",), "--cache PATH", "the cache that the run used"),
        (("rescore",), "--cache PATH", "the cache that the run used"),
        (("cache", "info"), "--cache PATH", "~/.cache/hydrometer or HYDROMETER_CACHE"),
    ],
)
def test_the_help_says_what_is_used_without_an_option(
    words: tuple[str, ...], option: str, default: str
) -> None:
    text = " ".join(invoke(*words, "--help").stdout.split())

    assert re.search(rf"{option} [^()]* \(default: {re.escape(default)}\)\.", text)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_no_help_shows_a_type_of_python(words: tuple[str, ...]) -> None:
    text = invoke(*words, "--help").stdout

    assert not re.search(r"<(list|path|str)\b", text)


@pytest.mark.parametrize("words", [("--format", "json"), ("--explain",), ()])
def test_a_closed_pipe_ends_a_command_without_a_word(folder: Path, words: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "hydrometer", "score", folder / "runs", *words],
            stdout=gone,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=HANG_S,
            check=False,
        )

    assert (done.returncode, done.stderr) == (141, b"")


def test_an_unknown_format_is_refused_with_the_known_ones(folder: Path) -> None:
    done = invoke("score", folder / "runs", "--format", "html")

    assert done.returncode == 2
    assert done.stderr.endswith("'--format': 'html' is not one of table, json, csv, md.\n")


@pytest.mark.parametrize("command", ["plan", "ice"])
def test_an_unknown_target_is_said_of_the_option(folder: Path, command: str) -> None:
    done = invoke(command, folder / "audit.toml", "--target", "tow")

    assert done.returncode == 2
    assert done.stderr == "hydrometer: --target: no model is named tow; did you mean two?\n"


@pytest.mark.parametrize(
    ("started", "found", "typed"),
    [
        ("/x/bin/hydrometer", True, "hydrometer"),
        (".venv/bin/hydrometer", False, ".venv/bin/hydrometer"),
        ("/a b/bin/hydrometer", False, "'/a b/bin/hydrometer'"),
        ("/x/hydrometer/__main__.py", False, f"{sys.executable} -m hydrometer"),
        ("/x/bin/pytest", False, "hydrometer"),
    ],
)
def test_a_command_to_type_is_one_that_the_shell_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: str, found: bool, typed: str
) -> None:
    if found:
        (tmp_path / "hydrometer").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [started])

    assert typed_name() == typed
