"""The import graph: docs/architecture.md says which room may import what; the code keeps to it."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from hydrometer.engine.measurements import BUILT_IN

ROOT = Path(str(resources.files("hydrometer")))
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def table(name: str) -> dict[str, tuple[str, ...]]:
    """Return a table of the page: the first column, and what the second one lists."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", PAGE, re.DOTALL)
    assert found is not None
    rows = [line.strip("| ").split("|") for line in found[1].splitlines()[2:]]
    return {
        row[0].strip(): tuple(filter(None, (part.strip() for part in row[-1].split(","))))
        if len(row) > 1
        else ()
        for row in rows
    }


ALLOWED = table("arrows")
HOMES = table("homes")
KINDS = BUILT_IN.kinds
WINGS = tuple(f"engine.{kind}" for kind in KINDS)

PURE = (
    "strategies",
    "engine/ice/search.py",
    "engine/ice/policies.py",
    "engine/ice/mutating.py",
    "engine/ice/ice_plan.py",
    "engine/ice/ice_fold.py",
    "engine/rse/rse_fold.py",
    "engine/rse/prompt_sets.py",
    "engine/identity/judging.py",
    "engine/identity/probing.py",
    "engine/calls/stages.py",
    "engine/setup/plan.py",
)
IMPURE = {"anyio", "asyncio", "time", "datetime", "os", "pathlib", "socket", "aiohttp", "threading"}
OUTSIDE = ("tests", "bench", "examples", "build")


def modules() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).parts
        if parts[0] not in OUTSIDE and not any(part.startswith(".") for part in parts):
            yield path


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room_of(name: str) -> str | None:
    """Return the room of a module: the longest row of the table that it lies in."""
    rooms = [room for room in ALLOWED if name == room or name.startswith(f"{room}.")]
    return max(rooms, key=len, default=None)


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield (dotted name, whether it is ours) for every import in *path*."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, False
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or "", False
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - (node.level - 1)]
            if node.module is not None:
                yield ".".join((*base, node.module)), True
            else:
                for alias in node.names:
                    yield ".".join((*base, alias.name)), True


def for_types_alone(path: Path) -> set[str]:
    """Return the names of ours that *path* imports for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = path.relative_to(ROOT).parts[:-1]
    guarded = (
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If)
        and isinstance(block.test, ast.Name)
        and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    )
    return {
        ".".join((*package[: len(package) - (node.level - 1)], node.module))
        for node in guarded
        if isinstance(node, ast.ImportFrom) and node.level and node.module
    }


def is_allowed(path: Path, name: str) -> bool:
    own, other = room_of(dotted(path)), room_of(name)
    assert own is not None
    if other == own or other is None:
        return other is not None
    kernel = own == "engine" or (own.startswith("engine.") and own not in WINGS)
    if kernel and other.startswith("engine") and other not in WINGS:
        return name in for_types_alone(path) or _listed(own, name)
    return _listed(own, name)


def _listed(own: str, name: str) -> bool:
    other = room_of(name)
    return any(allowed == other or name == allowed for allowed in ALLOWED[own])


def test_there_are_modules_to_check() -> None:
    assert len(list(modules())) > 40


def test_every_module_has_a_room() -> None:
    faces = {"__init__", "__main__"}

    assert [path for path in modules() if room_of(dotted(path)) is None] == [
        ROOT / f"{name}.py" for name in sorted(faces)
    ]


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_imports_follow_the_arrows(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        if room_of(dotted(path)) == room
        for name, ours in imports(path)
        if ours and not is_allowed(path, name)
    ]

    assert wrong == []


def test_every_arrow_is_used() -> None:
    used = {
        (room_of(dotted(path)), target)
        for path in modules()
        for name, ours in imports(path)
        if ours
        for target in (name, room_of(name))
    }

    unused = [(room, arrow) for room, arrows in ALLOWED.items() for arrow in arrows]

    assert [pair for pair in unused if pair not in used] == []


def test_nothing_but_the_list_a_view_and_the_public_names_knows_a_wing() -> None:
    knowing = {
        str(path.relative_to(ROOT))
        for path in modules()
        for name, ours in imports(path)
        if ours and room_of(name) in WINGS and room_of(dotted(path)) not in WINGS
    }

    assert knowing == {
        "commands/api.py",
        "engine/measurements.py",
        "report/terminal/scores/identity_demo.py",
    }


def test_no_wing_imports_another() -> None:
    crossing = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        for name, ours in imports(path)
        if ours and room_of(name) != room_of(dotted(path))
        if room_of(name) in WINGS and room_of(dotted(path)) in WINGS
    ]

    assert crossing == []


def test_no_kind_is_compared_outside_its_wing() -> None:
    """A kind is a value to look up. Neither == nor match may ask for one."""
    comparing = []
    for path in modules():
        if room_of(dotted(path)) in WINGS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            texts: list[ast.expr] = []
            if isinstance(node, ast.Compare):
                texts = [node.left, *node.comparators]
            elif isinstance(node, ast.MatchValue):
                texts = [node.value]
            comparing += [
                f"{path.relative_to(ROOT)}:{text.lineno}"
                for text in texts
                if isinstance(text, ast.Constant) and text.value in KINDS
            ]

    assert comparing == []


@pytest.mark.parametrize("library", sorted(HOMES))
def test_each_library_has_one_home(library: str) -> None:
    strangers = [
        str(path.relative_to(ROOT))
        for path in modules()
        for name, ours in imports(path)
        if not ours
        and name.split(".")[0] == library
        and not any(str(path.relative_to(ROOT)).startswith(home) for home in HOMES[library])
    ]

    assert strangers == []


def test_inside_the_package_imports_are_relative() -> None:
    absolute = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        for name, ours in imports(path)
        if not ours and name.split(".")[0] == "hydrometer"
    ]

    assert absolute == []


@pytest.mark.parametrize("place", PURE)
def test_decisions_touch_no_clock_file_or_task(place: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        if str(path.relative_to(ROOT)).startswith(place)
        for name, ours in imports(path)
        if not ours and name.split(".")[0] in IMPURE
    ]
    awaits = [
        str(path.relative_to(ROOT))
        for path in modules()
        if str(path.relative_to(ROOT)).startswith(place)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.AsyncFunctionDef)
        if not str(path.relative_to(ROOT)).endswith("base.py")
    ]

    assert wrong == []
    assert awaits == []


def test_the_package_list_is_that_of_the_folders() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {
        "hydrometer" if folder == ROOT else f"hydrometer.{folder.relative_to(ROOT)}"
        for folder in (file.parent for file in ROOT.rglob("__init__.py"))
        if not any(part.startswith(".") or part in {"build", "tests", "examples"} for part in
                   folder.relative_to(ROOT).parts)
    }  # fmt: skip

    named = {name.replace("/", ".") for name in folders}
    assert set(settings["packages"]) == named - {"hydrometer.bench"}
    assert settings["packages"] == sorted(settings["packages"])


def test_the_root_holds_only_the_public_face() -> None:
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py", "__main__.py", "cli.py"}


def test_no_folder_has_more_than_15_source_files() -> None:
    folders: dict[str, int] = {}
    for path in modules():
        folder = str(path.parent.relative_to(ROOT))
        folders[folder] = folders.get(folder, 0) + 1

    assert {folder: count for folder, count in folders.items() if count > 15} == {}


def test_one_public_type_name_has_one_meaning() -> None:
    homes: dict[str, list[str]] = {}
    for path in modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(str(path.relative_to(ROOT)))

    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_one_file_name_has_one_meaning() -> None:
    mirrored = {"__init__.py", "errors.py", "types.py", "base.py"}
    homes: dict[str, list[str]] = {}
    for path in modules():
        if path.name not in mirrored:
            homes.setdefault(path.name, []).append(str(path.relative_to(ROOT)))

    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_module_docstrings_start_with_a_noun() -> None:
    """A reader wants to know what a module is before anything else."""
    questions = re.compile(r"(What|Which|How|Who|When|Where|Whatever)\b")
    asking = [
        str(path.relative_to(ROOT))
        for path in modules()
        if questions.match(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")
    ]

    assert asking == []


@pytest.mark.parametrize("line", [400])
def test_the_command_line_is_short(line: int) -> None:
    assert len((ROOT / "cli.py").read_text(encoding="utf-8").splitlines()) <= line
