"""What ``hydrometer plan`` estimates, and for whom."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import anyio
import pytest
from processes import invoke, simulator, write_config

from hydrometer.commands.preview import Preview, preview_run, split_targets
from hydrometer.commands.rse import plan_rse
from hydrometer.engine.setup.config import Config, parse_config
from hydrometer.engine.setup.loading import builtin_text, load_texts
from hydrometer.engine.setup.models import Role
from hydrometer.engine.setup.plan import AnyPlan
from hydrometer.engine.setup.planning import build_ice_plan

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


def preview(folder: Path, config: Config, *plans: AnyPlan) -> list[Preview]:
    async def look() -> list[Preview]:
        return [
            await preview_run(config, plan, folder / "none", after=plans[:number])
            for number, plan in enumerate(plans)
        ]

    return anyio.run(look)


def test_every_role_has_an_estimate(tmp_path: Path) -> None:
    config = parse_config(DEMO + EMBEDDER, "c.toml")
    searching = build_ice_plan(config, "loyal", load_texts(config, tmp_path))
    (comparing,) = plan_rse(config, ["copy"], tmp_path, lambda _: None)

    found = preview(tmp_path, config, searching, comparing)

    roles = [estimate for one in found for estimate in one.roles]
    assert {estimate.role for estimate in roles} == set(get_args(Role))
    assert all(estimate.calls and estimate.input_tokens for estimate in roles)
    assert [estimate.role for estimate in roles if not estimate.output_tokens] == ["embedder"]


def test_each_answer_is_embedded_once(tmp_path: Path) -> None:
    config = parse_config(DEMO + EMBEDDER, "c.toml")
    plans = plan_rse(config, ["copy", "sibling"], tmp_path, lambda _: None)

    found = preview(tmp_path, config, *plans)

    calls = [one.calls for each in found for one in each.roles if one.role == "embedder"]
    assert calls == [36 * 3, 36]  # target and reference twice, then the other target


@pytest.mark.parametrize(
    ("targets", "ice", "rse"),
    [
        (None, ("loyal", "blended", "copied"), ("copy", "paraphrase", "sibling", "stranger")),
        (["copy"], (), ("copy",)),
        (["loyal"], ("loyal",), ()),
        (["copy", "loyal", "sibling"], ("loyal",), ("copy", "sibling")),
        (["helper"], ("helper",), ("helper",)),
    ],
)
def test_a_target_that_one_table_lists_concerns_that_table_alone(
    targets: list[str] | None, ice: tuple[str, ...], rse: tuple[str, ...]
) -> None:
    assert split_targets(parse_config(DEMO, "c.toml"), targets) == (ice, rse)


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
    assert split_targets(parse_config(tables, "c.toml"), ["new"]) == (ice, rse)


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
        config.write_text(unlimited)
        invoke("ice", config, "--out", tmp_path / "run", *args, "-q", "--resume")
        config.write_text(unlimited.replace("seed = 11", "seed = 11\nbudget = { calls = 50 }"))
        after = invoke("plan", config, *args).stdout

    assert "run.budget calls = 50 is less than the 152 estimated: the run would" in before
    left = re.search(r"calls = 50 is less than the (\d+) estimated beyond the cache", between)
    assert left is not None, between
    assert 95 < int(left[1]) < 152  # it is followed to the first answer that is missing
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
    config = parse_config(f"[run]\nwindow = 100\n{text}{ice}", "c.toml")
    plan = build_ice_plan(config, "x", load_texts(config, tmp_path))

    (found,) = preview(tmp_path, config, plan)

    (role,) = found.roles
    assert role.calls == 600
    assert role.seconds == pytest.approx(seconds)
