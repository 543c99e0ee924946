"""What ``hydrometer plan`` estimates, and for whom."""

from __future__ import annotations

import io
import re
from pathlib import Path

import anyio
import pytest
from processes import invoke, keys_in, simulator, write_config
from rich.console import Console

from hydrometer.commands.plans import plan_runs, split_targets
from hydrometer.commands.plugins import Plugins
from hydrometer.commands.preview import preview_plans
from hydrometer.engine.estimates import Preview, RoleEstimate, Together, add_roles
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.setup.config import Config, parse_config
from hydrometer.engine.setup.files import builtin_text
from hydrometer.engine.setup.plan import Plan
from hydrometer.report.terminal.plan_view import preview_view

DEMO = builtin_text("demo.toml")
EMBEDDER = """
embeddings = "vectors"
[models.vectors]
provider = "http"
model = "vectors"
base_url = "http://127.0.0.1:9/v1"
mode = "embedding"
price = { input_per_mtok = 2.0, output_per_mtok = 1000.0 }
"""


def preview(folder: Path, config: Config, *plans: Plan) -> tuple[Preview, ...]:
    return anyio.run(preview_plans, config, plans, folder / "none", Plugins())


def plans_of(config: Config, kind: str, folder: Path, *targets: str) -> list[Plan]:
    named = plan_runs(config, kind, targets, folder=folder, plugins=Plugins(), say=lambda _: None)
    return [one.plan for one in named]


def test_every_role_has_an_estimate(tmp_path: Path) -> None:
    config = parse_config(DEMO + EMBEDDER, "c.toml", BUILT_IN)
    (searching,) = plans_of(config, "ice", tmp_path, "loyal")
    (comparing,) = plans_of(config, "rse", tmp_path, "copy")

    found = preview(tmp_path, config, searching, comparing)

    roles = [estimate for one in found for estimate in one.roles]
    assert {estimate.role for estimate in roles} == {
        *("target", "helper", "judge", "reference", "embedder")
    }
    assert all(estimate.calls and estimate.input_tokens for estimate in roles)
    assert [estimate.role for estimate in roles if not estimate.output_tokens] == ["embedder"]


def test_each_answer_is_embedded_once(tmp_path: Path) -> None:
    config = parse_config(DEMO + EMBEDDER, "c.toml", BUILT_IN)
    plans = plans_of(config, "rse", tmp_path, "copy", "family")

    found = preview(tmp_path, config, *plans)

    calls = [one.calls for each in found for one in each.roles if one.role == "embedder"]
    assert calls == [36 * 3, 36]  # target and reference twice, then the other target


@pytest.mark.parametrize(
    ("targets", "ice", "rse"),
    [
        ([], ("loyal", "blended", "copied"), ("copy", "paraphrase", "family", "unrelated")),
        (["copy"], (), ("copy",)),
        (["loyal"], ("loyal",), ()),
        (["copy", "loyal", "family"], ("loyal",), ("copy", "family")),
        (["helper"], ("helper",), ("helper",)),
    ],
)
def test_a_target_that_one_table_lists_concerns_that_table_alone(
    targets: list[str], ice: tuple[str, ...], rse: tuple[str, ...]
) -> None:
    split = split_targets(parse_config(DEMO, "c.toml", BUILT_IN), targets, Plugins())

    assert (split.get("ice", ()), split.get("rse", ())) == (ice, rse)


@pytest.mark.parametrize(
    ("tables", "ice", "rse"),
    [
        ("", ("new",), ()),
        ('[ice]\ntargets = ["a"]', ("new",), ()),
        ('[rse]\ntargets = ["a"]', (), ("new",)),
        ('[rse]\nreference = "a"', (), ("new",)),
        ('[ice]\ntargets = ["a"]\n[rse]\nreference = "a"', ("new",), ("new",)),
    ],
)
def test_a_target_that_no_table_lists_concerns_those_in_use(
    tables: str, ice: tuple[str, ...], rse: tuple[str, ...]
) -> None:
    split = split_targets(parse_config(tables, "c.toml", BUILT_IN), ["new"], Plugins())

    assert (split.get("ice", ()), split.get("rse", ())) == (ice, rse)


def test_plan_with_a_target_shows_and_counts_its_own_table_only(tmp_path: Path) -> None:
    config = tmp_path / "demo.toml"
    config.write_text(DEMO.replace("seed = 7", "seed = 7\nbudget = { calls = 1455 }", 1))

    compared, searched, both = (
        invoke("plan", config, "--cache", tmp_path / "none", *("--target", name) * bool(name))
        for name in ("copy", "loyal", "")
    )

    assert compared.returncode == searched.returncode == both.returncode == 0, compared.stderr
    assert "copy against origin" in compared.stdout
    assert "probes" not in compared.stdout
    assert "loyal: 600 probes" in searched.stdout
    assert "against" not in searched.stdout
    assert "would pause there" not in compared.stdout + searched.stdout
    assert "run.budget calls = 1,455 is less than" in both.stdout


def test_what_is_cached_counts_against_no_budget(tmp_path: Path) -> None:
    args = ("--cache", tmp_path / "cache")
    with simulator() as url:
        config = write_config(tmp_path, url, probes=60)
        unlimited = config.read_text()
        config.write_text(unlimited.replace("seed = 11", "seed = 11\nbudget = { calls = 50 }"))
        before = invoke("plan", config, *args).stdout
        invoke("ice", config, "--out", tmp_path / "run", *args, "-q", "--no-preflight")
        between = invoke("plan", config, *args).stdout
        stored = len(keys_in(tmp_path / "cache"))
        config.write_text(unlimited)
        invoke("ice", config, "--out", tmp_path / "run", *args, "-q", "--resume")
        config.write_text(unlimited.replace("seed = 11", "seed = 11\nbudget = { calls = 50 }"))
        after = invoke("plan", config, *args).stdout

    left = re.search(r"calls = 50 is less than the (\d+) estimated beyond the cache", between)
    found = re.search(r"\((\d+) calls found", between)
    assert "run.budget calls = 50 is less than the 152 estimated: the run would" in before
    assert stored == 50
    assert left is not None, between
    assert found is not None, between
    # It is followed to the first answer that is missing; a call may be found more than once.
    assert 0 < int(found[1]) < 152
    assert int(left[1]) == 152 - int(found[1])
    assert "cached: the whole run" in after
    assert "budget" not in after


@pytest.mark.parametrize(
    ("endpoints", "seconds"),
    [
        ("", 600 / 5),  # 10 slots of 2 s a call
        ("rpm = 60", 600 / 1),
        ("[[models.x.endpoints]]\nbase_url = 'http://a.test'\nrpm = 60\n", 600 / 1),
        (
            "[[models.x.endpoints]]\nbase_url = 'http://a.test'\nrpm = 60\n"
            "[[models.x.endpoints]]\nbase_url = 'http://b.test'\n",
            600 / 6,
        ),
    ],
)
def test_an_endpoint_without_a_limit_takes_what_its_slots_take(
    tmp_path: Path, endpoints: str, seconds: float
) -> None:
    where = "" if "endpoints" in endpoints else "base_url = 'http://a.test'\n"
    text = f"[models.x]\nprovider = 'http'\nmodel = 'm'\nslots = 10\n{where}{endpoints}\n"
    ice = "[ice]\njudge = 'lexical'\nsearch = 'static'\nprobes = 600\n"
    config = parse_config(f"[run]\nwindow = 100\n{text}{ice}", "c.toml", BUILT_IN)
    (plan,) = plans_of(config, "ice", tmp_path, "x")

    (found,) = preview(tmp_path, config, plan)

    (role,) = found.roles
    assert role.calls == 600
    assert role.seconds == pytest.approx(seconds)


def role(model: str, calls: int, *, cost: float | None, seconds: float, left: int) -> RoleEstimate:
    return RoleEstimate(
        role="judge",
        model=model,
        calls=calls,
        input_tokens=0,
        output_tokens=0,
        cost_usd=cost,
        seconds=seconds,
        left=left,
    )


def shown(*roles: RoleEstimate, cached_units: int = 0, complete: bool = False) -> list[str]:
    found = sum(one.calls - one.left for one in roles)
    made = Preview(
        title="qwen",
        unit="probes",
        roles=roles,
        cached_units=cached_units,
        cached_calls=found,
        complete=complete,
    )
    console = Console(file=io.StringIO(), width=100, color_system=None)
    console.print(preview_view([made], Path("cache")))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_models_work_side_by_side_and_roles_of_one_model_after_each_other() -> None:
    roles = (
        role("a", 10, cost=1.0, seconds=40.0, left=10),
        role("b", 5, cost=None, seconds=30.0, left=1),
        role("b", 5, cost=None, seconds=30.0, left=0),
    )

    assert add_roles(roles) == Together(
        calls=20, cost_usd=1.0, unpriced=("b",), seconds=60.0, left_calls=11, left_usd=1.0
    )


def test_a_plan_ends_with_the_sum_and_what_is_left_of_it() -> None:
    lines = shown(role("a", 10, cost=2.0, seconds=61.0, left=4), cached_units=1)

    assert "cached: the first probe (6 calls found in cache)" in lines
    assert "together: 10 calls, $2.00, about 1:01 (roles work side by side)" in lines
    assert "left to send: 4 calls, $0.80" in lines


@pytest.mark.parametrize(
    ("roles", "together"),
    [
        ([role("a", 1, cost=0.0, seconds=1, left=1)], "together: 1 call, free, about 0:01"),
        ([role("a", 2, cost=None, seconds=1, left=2)], "together: 2 calls, no price for a, about"),
        (
            [
                role("a", 2, cost=None, seconds=1, left=2),
                role("b", 2, cost=0.5, seconds=1, left=2),
            ],
            "together: 4 calls, $0.50 without a, about",
        ),
    ],
)
def test_the_sum_says_what_it_leaves_out(roles: list[RoleEstimate], together: str) -> None:
    lines = shown(*roles)

    assert any(line.startswith(together) for line in lines)
    assert not any(line.startswith("left to send") for line in lines)


def test_answers_before_the_first_whole_probe_are_said_to_be_that() -> None:
    assert "cached: no whole probe yet (1 call found in cache)" in shown(
        role("a", 3, cost=0.0, seconds=1, left=2)
    )
