"""Budgets as a user sets them: exact, kept over sessions, and bounded where usage comes late."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from processes import invoke, simulator, stats, write_config


def limited(config: Path, budget: str) -> None:
    text = config.read_text()
    config.write_text(text.replace("seed = 11", f"seed = 11\nbudget = {budget}", 1))


def ice(folder: Path, config: Path, *more: str) -> tuple[int, str]:
    done = invoke("ice", config, "--out", folder / "run", "--cache", folder / "cache", "-q", *more)
    return done.returncode, done.stderr


def test_a_budget_of_500_calls_sends_exactly_500(tmp_path: Path) -> None:
    with simulator() as url:
        config = write_config(tmp_path, url, probes=1000)
        limited(config, "{ calls = 500 }")

        code, said = ice(tmp_path, config)
        sent = stats(url)["calls"]

    assert (code, sent) == (3, 500), said
    assert "run.budget calls = 500 is reached: 500 calls sent" in said
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert (status["state"], status["cause"]) == ("stopped", "budget")
    assert b"budget" not in (tmp_path / "run" / "events.jsonl").read_bytes()


def test_a_budget_lasts_over_sessions_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    with simulator() as url:
        config = write_config(tmp_path, url, probes=100)
        unlimited = config.read_text()
        limited(config, "{ calls = 60 }")
        first, _ = ice(tmp_path, config)
        again, said = ice(tmp_path, config, "--resume", "--no-preflight")
        between = stats(url)["calls"]
        config.write_text(unlimited.replace("seed = 11", "seed = 11\nbudget = { calls = 90 }", 1))
        larger, _ = ice(tmp_path, config, "--resume", "--no-preflight")
        after = stats(url)["calls"]
        config.write_text(unlimited)
        done, _ = ice(tmp_path, config, "--resume")

    assert (first, again, larger, done) == (3, 3, 3, 0), said
    assert (between, after) == (60, 90)
    assert "60 calls sent" in said


@pytest.mark.parametrize("window", [1, 6])
def test_a_cost_budget_is_exceeded_by_no_more_than_the_calls_under_way(
    tmp_path: Path, window: int
) -> None:
    """The bound: what the calls in flight cost when the last usage came in.

    A call is admitted with the longest answer that was asked for, and all of these answers are
    shorter, so here nothing is exceeded at all.
    """
    price = "price = { input_per_mtok = 1.0, output_per_mtok = 10.0 }\nslots = 8\n"
    with simulator("--latency-ms", "5") as url:
        config = write_config(tmp_path, url, probes=400, window=window)
        text = config.read_text().replace("attempts = 12\n", f"attempts = 12\n{price}")
        config.write_text(text)
        limited(config, "{ cost_usd = 0.05 }")
        code, said = ice(tmp_path, config)

    rows = [
        json.loads(line) for line in (tmp_path / "run" / "timings.jsonl").read_text().splitlines()
    ]
    sent = [row["usage"] for row in rows if row.get("source") in {"sent", "preflight"}]
    costs = [(u["input_tokens"] * 1.0 + u["output_tokens"] * 10.0) / 1e6 for u in sent]
    assert code == 3, said
    assert sum(costs) <= 0.05 + 24 * max(costs)  # 3 models of 8 slots
    assert sum(costs) >= 0.05 - 24 * max(costs) - 0.03  # nor does it stop long before


def test_one_model_can_have_a_budget_of_its_own(tmp_path: Path) -> None:
    with simulator() as url:
        config = write_config(tmp_path, url, probes=100)
        text = config.read_text()
        config.write_text(text.replace("[models.judge]", "[models.judge]\nbudget = { calls = 25 }"))
        code, said = ice(tmp_path, config)

    assert code == 3
    assert "models.judge.budget calls = 25 is reached: 25 calls sent" in said


def split_budget(folder: Path, url: str) -> Path:
    """Write a config of two targets whose budget ends in the first one."""
    config = write_config(folder, url, probes=60)
    limited(config, "{ calls = 60 }")
    text = config.read_text().replace('targets = ["target"]', 'targets = ["target", "other"]')
    table = text[text.index("[models.target]") : text.index("[models.helper]")]
    other = table.replace("models.target", "models.other").replace('"sim-target"', '"sim-target-2"')
    config.write_text(text.replace("[models.helper]", f"{other}[models.helper]"))
    return config


def test_a_budget_of_a_command_cannot_be_split_over_its_targets(tmp_path: Path) -> None:
    with simulator() as url:
        config = split_budget(tmp_path, url)
        first, _ = ice(tmp_path, config)
        between = stats(url)["calls"]
        other, said = ice(tmp_path, config, "--target", "other", "--resume", "--no-preflight")
        new, _ = ice(tmp_path, config, "--target", "other", "--no-preflight")
        after = stats(url)["calls"]

    assert (first, between) == (3, 60)
    assert 3 in (other, new), said
    assert after == 60


@pytest.mark.parametrize("inside", [True, False], ids=["in-folder", "beside"])
def test_a_run_that_was_set_aside_counts_against_the_budget(tmp_path: Path, inside: bool) -> None:
    with simulator() as url:
        config = split_budget(tmp_path, url) if inside else write_config(tmp_path, url)
        if not inside:
            limited(config, "{ calls = 60 }")
        ice(tmp_path, config)
        again, said = ice(tmp_path, config, "--retry-failed", "--no-preflight")
        after = stats(url)["calls"]

    assert (again, after) == (3, 60), said
    assert "run.budget calls = 60 is reached: 60 calls sent" in said


def priced(config: Path, *names: str, price: str = "{ input_per_mtok = 1.0 }") -> None:
    text = config.read_text()
    for name in names:
        text = text.replace(f"[models.{name}]\n", f"[models.{name}]\nprice = {price}\n")
    config.write_text(text)


def test_a_budget_in_money_wants_a_price_for_every_model_it_counts(tmp_path: Path) -> None:
    config = write_config(tmp_path, "http://127.0.0.1:9/v1")
    limited(config, "{ cost_usd = 5.0 }")
    priced(config, "judge")

    code, said = ice(tmp_path, config)
    shown = invoke("plan", config, "--cache", tmp_path / "cache")

    assert code == 2
    assert said == (
        "hydrometer: run.budget.cost_usd cannot be enforced: models.helper.price and "
        "models.target.price are not set (a free model has price = { input_per_mtok = 0, "
        "output_per_mtok = 0 })\n"
    )
    assert not (tmp_path / "run").exists()
    assert "run.budget.cost_usd needs models.helper.price: the run would not start" in shown.stdout
    assert "models.judge.price" not in shown.stdout


def test_a_price_of_nothing_says_that_a_model_is_free(tmp_path: Path) -> None:
    with simulator() as url:
        config = write_config(tmp_path, url, probes=5)
        limited(config, "{ cost_usd = 5.0 }")
        free = "{ input_per_mtok = 0, output_per_mtok = 0 }"
        priced(config, "target", "helper", "judge", price=free)

        code, said = ice(tmp_path, config)

    assert code == 0, said


def test_the_budget_of_a_model_in_money_wants_its_price(tmp_path: Path) -> None:
    config = write_config(tmp_path, "http://127.0.0.1:9/v1")
    text = config.read_text()
    config.write_text(text.replace("[models.judge]", "[models.judge]\nbudget = { cost_usd = 1 }"))

    code, said = ice(tmp_path, config)

    assert code == 2
    assert "models.judge.budget.cost_usd cannot be enforced: models.judge.price is not set" in said
