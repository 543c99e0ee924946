"""Every code block of docs/extending.md runs as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from processes import environment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
EXAMPLE_PLUGIN = ROOT / "tests" / "example_plugin"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


TOML = blocks("toml")
PYTHON = blocks("python")


def python(*args: str | Path, cwd: Path) -> str:
    path = os.pathsep.join(
        str(part) for part in (EXAMPLE_PLUGIN, os.environ.get("PYTHONPATH")) if part
    )
    done = subprocess.run(
        [sys.executable, *args],
        cwd=cwd,
        env=environment(PYTHONPATH=path),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_no_block_is_left_out() -> None:
    fences = re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)

    assert sorted(set(fences)) == ["python", "toml"]
    assert len(TOML) + len(PYTHON) == len(fences)


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_a_python_block_runs(number: int, tmp_path: Path) -> None:
    block = PYTHON[number]
    (tmp_path / "hydrometer.toml").write_text(TOML[0], encoding="utf-8")
    is_test = re.search(r"^(def test_|class Test)", block, re.MULTILINE) is not None
    name = "test_block.py" if is_test else "block.py"
    (tmp_path / name).write_text(block, encoding="utf-8")

    if is_test:
        said = python("-m", "pytest", "-q", "-W", "error", name, cwd=tmp_path)
        assert re.search(r"^\d+ passed in ", said, re.MULTILINE), said
    else:
        python(name, cwd=tmp_path)


def test_the_program_leaves_a_run_with_a_layer(tmp_path: Path) -> None:
    (tmp_path / "hydrometer.toml").write_text(TOML[0], encoding="utf-8")
    (tmp_path / "block.py").write_text(PYTHON[0], encoding="utf-8")

    said = python("block.py", cwd=tmp_path)

    assert said.splitlines()[-1] == "finished ['lexical'] 5"


def test_the_entry_points_are_those_of_the_example_package() -> None:
    declared = tomllib.loads((EXAMPLE_PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))

    shown = tomllib.loads(TOML[1])
    assert shown["project"]["entry-points"] == declared["project"]["entry-points"]


def test_the_config_of_the_plug_ins_runs_with_them(tmp_path: Path) -> None:
    (tmp_path / "audit.toml").write_text(TOML[2], encoding="utf-8")
    (tmp_path / "program.py").write_text(
        """
import anyio
import msgspec
import hydrometer
from hydrometer_example import Aside, Keyword, Newest, open_parrot

plugins = hydrometer.Plugins(
    selectors={"newest": Newest},
    mutators={"aside": Aside},
    judges={"keyword": Keyword},
    providers={"parrot": open_parrot},
)


async def main() -> None:
    config = hydrometer.load_config("audit.toml", plugins=plugins)
    plans = hydrometer.build_plans(config, plugins=plugins)
    scores = await hydrometer.run_all(plans, config, "runs", cache="cache", plugins=plugins)
    print(msgspec.json.encode(scores).decode())


anyio.run(main)
""",
        encoding="utf-8",
    )

    scores = json.loads(python("program.py", cwd=tmp_path))

    assert list(scores) == ["polly"]
    assert {(s["judge"], s["prompt_version"]) for s in scores["polly"]} == {
        ("keyword", "keyword-1")
    }
    assert {s["judged"] for s in scores["polly"]} == {20}


def test_every_function_of_the_table_exists() -> None:
    import hydrometer  # noqa: PLC0415 (what the page promises)

    named = re.findall(r"^\| `(?:await )?(\w+)\(", PAGE, re.MULTILINE)

    functions = [name for name in named if name in hydrometer.__all__]
    assert set(functions) == {name for name in hydrometer.__all__ if name[0].islower()}


def test_every_relative_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", PAGE)

    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
