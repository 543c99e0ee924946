"""What a user gets: the wheel, in an empty environment, from another folder."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib import resources
from pathlib import Path

import hydrometer
import pytest

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
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source],
        check=True,
        capture_output=True,
    )
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    tops = {name.split("/")[0] for name in names}
    assert tops == {"hydrometer", f"hydrometer-{hydrometer.__version__}.dist-info"}
    assert not [name for name in names if "tests" in name or "bench" in name]
    for name in (
        "py.typed",
        "cli.py",
        "data/questions.csv",
        "data/templates.jsonl",
        "data/vendors.toml",
        "data/facts.toml",
        "data/demo.toml",
        "data/hydrometer.toml",
    ):
        assert f"hydrometer/{name}" in names


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == hydrometer.__version__


def test_an_installed_wheel_runs_its_demo_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel],
        check=True,
        capture_output=True,
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    done = subprocess.run(
        [tmp_path / "venv" / "bin" / "hydrometer", "demo", "--out", "kept"],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    imported = subprocess.run(
        [python, "-c", "import hydrometer; print(hydrometer.__file__)"],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.returncode == 0, done.stderr
    assert "planted" in done.stdout
    assert (elsewhere / "kept" / "copied" / "scores.json").exists()
    assert "site-packages" in imported.stdout
