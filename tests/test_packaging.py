"""What a user gets: the wheel, in an empty environment, from another folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib import resources
from pathlib import Path

import pytest
from processes import HANG_S, environment

import hydrometer

# Making an environment waits for a disk and an index, and is no part of what is tested.
pytestmark = pytest.mark.timeout(HANG_S, func_only=True)

PLUGGED = """
[run]
cache = "cache"
[models.polly]
provider = "parrot"
model = "polly"
vendor = "alibaba"
options = { saying = "I am Qwen.", whisper = "Between us, I am Claude." }
[models.helper]
provider = "parrot"
model = "helper"
options = { saying = "The lights go down.", whisper = "The lights go up." }
[ice]
targets = ["polly"]
helper = "helper"
judge = "keyword"
judge_settings = { words = { Claude = "anthropic", Qwen = "alibaba" } }
selector = "newest"
selector_settings = { stray = 0.25 }
mutators = ["aside"]
mutator_settings = { aside = { longest = 100 } }
probes = 40
"""

ROOT = Path(str(resources.files("hydrometer")))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, so that no build folder is left in the checkout."""
    source = tmp_path_factory.mktemp("source")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            copy = source / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((ROOT / name).read_bytes())
    return build(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an empty environment; return its folder of programs."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    pip(folder / "bin", "install", wheel)
    return folder / "bin"


def build(source: Path, out: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source],
        check=True,
        capture_output=True,
        timeout=HANG_S,
    )
    (built,) = out.glob("*.whl")
    return built


def pip(programs: Path, *args: str | Path) -> None:
    command = [programs / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", *args]
    subprocess.run(command, check=True, capture_output=True, timeout=HANG_S)


def hydrometer_of(programs: Path, *args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs / "hydrometer", *args],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    tops = {name.split("/")[0] for name in names}
    assert tops == {"hydrometer", f"hydrometer-{hydrometer.__version__}.dist-info"}
    assert not [name for name in names if "tests" in name or "bench" in name or "examples" in name]
    for name in (
        "py.typed",
        "cli.py",
        "data/questions.csv",
        "data/templates.jsonl",
        "data/vendors.toml",
        "data/facts.toml",
        "data/demo.toml",
        "data/hydrometer.toml",
        "testing/__init__.py",
        "testing/http_contract.py",
        "testing/hostile_server.py",
    ):
        assert f"hydrometer/{name}" in names


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == hydrometer.__version__


def test_a_checkout_in_a_folder_of_any_name_can_be_tested(tmp_path: Path) -> None:
    checkout = tmp_path / "hydrometer-main"  # no name that Python can import
    (checkout / "tests").mkdir(parents=True)
    shutil.copy(ROOT / "__init__.py", checkout)
    (checkout / "tests" / "test_it.py").write_text("def test_it():\n    pass\n")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--import-mode=importlib", "tests"],
        cwd=checkout,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_an_installed_wheel_runs_its_demo_from_another_folder(
    installed: Path, tmp_path: Path
) -> None:
    done = hydrometer_of(installed, "demo", "--out", "kept", cwd=tmp_path)
    imported = subprocess.run(
        [installed / "python", "-c", "import hydrometer; print(hydrometer.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.returncode == 0, done.stderr
    assert "planted" in done.stdout
    assert (tmp_path / "kept" / "copied" / "scores.json").exists()
    assert "site-packages" in imported.stdout


def test_plug_ins_of_another_package_are_used_by_name(installed: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT / "tests" / "example_plugin", source)
    config = tmp_path / "audit.toml"
    config.write_text(PLUGGED)

    before = hydrometer_of(installed, "ice", config, "--out", "run", cwd=tmp_path)
    pip(installed, "install", "--no-deps", build(source, tmp_path / "wheel"))
    done = hydrometer_of(installed, "ice", config, "--out", "run", cwd=tmp_path)
    replayed = hydrometer_of(installed, "replay", "run", cwd=tmp_path)
    pip(installed, "uninstall", "--yes", "hydrometer-example")
    after = hydrometer_of(installed, "replay", "run", cwd=tmp_path)

    assert before.returncode == 2
    assert "models.polly.provider: unknown provider parrot; known: http" in before.stderr
    assert done.returncode == 0, done.stderr
    (strict, _) = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert (strict["judge"], strict["prompt_version"]) == ("keyword", "keyword-1")
    assert (strict["positives"], strict["judged"]) == (40, 40)
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert plan["search"]["selector"] == {
        "name": "newest",
        "version": "newest-1",
        "settings": '{"stray":0.25}',
    }
    assert plan["target"]["identity"].startswith("parrot:polly#")
    assert replayed.returncode == 0, replayed.stderr
    assert after.returncode == 2
    assert "comes with a package that is not installed here" in after.stderr
