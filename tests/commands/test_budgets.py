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
