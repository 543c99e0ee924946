"""Response similarity at its usual size, and what of the time its calls could overlap."""

from __future__ import annotations

import json
import resource
import time
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

import pytest
from processes import hydrometer, simulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PROMPTS = 1000
WRITER = """
[models.{name}]
provider = "simulated"
model = "sim-writer-{name}"
options = {{ planting = {{ seed = {seed}, family = 1, relation = "{relation}" }} }}
sampling = {{ temperature = 0.7 }}
"""
MODELS = "".join(
    WRITER.format(name=name, seed=seed, relation=relation)
    for seed, (name, relation) in enumerate(
        (
            ("origin", "copy"),
            ("reworded", "paraphrase"),
            ("sibling", "family"),
            ("far", "unrelated"),
        )
    )
)
CONFIG = f"""
[run]
seed = 7
{MODELS}
[models.judge]
provider = "simulated"
model = "sim-judge"
options = {{ planting = {{ error = 0.05 }} }}
[rse]
targets = ["reworded", "sibling", "far"]
reference = "origin"
judge = "judge"
prompts = [{{ name = "own", path = "p.jsonl" }}]
"""


def write_prompts(folder: Path, count: int) -> None:
    """Write as many prompts, one in five in Chinese and one in ten of two turns."""
    rows = []
    for number in range(count):
        turns = [f"How does machine number {number} of the mill work?"]
        if number % 5 == 0:
            turns = [f"请介绍第{number}号机器的原理。"]
        if number % 10 == 1:
            turns.append(f"And what if number {number} stops?")
        rows.append(json.dumps({"turns": turns}, ensure_ascii=False))
    (folder / "p.jsonl").write_text("\n".join(rows), encoding="utf-8")


def test_a_thousand_prompts_by_three_targets_in_both_orders_replay_byte_for_byte(
    tmp_path: Path,
) -> None:
    (tmp_path / "c.toml").write_text(CONFIG)
    write_prompts(tmp_path, PROMPTS)

    began = time.perf_counter()
    done = hydrometer(
        "rse", "c.toml", "--out", "runs", "--cache", "cache", "-q", cwd=tmp_path, timeout_s=900
    )
    took_s = time.perf_counter() - began
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024

    assert done.returncode == 0, done.stderr
    calls: Counter[str] = Counter()
    for run in sorted((tmp_path / "runs").iterdir()):
        for line in (run / "timings.jsonl").read_text().splitlines():
            calls[json.loads(line).get("source", "")] += 1
        began = time.perf_counter()
        replayed = hydrometer("replay", run, cwd=tmp_path, timeout_s=600)
        replayed_s = time.perf_counter() - began
        assert replayed.returncode == 0, replayed.stderr
        assert replayed.stdout == f"{PROMPTS + 2} events replayed, byte-identical\n"
        print(f"\nreplay of {run.name}: {replayed_s:.1f} s")  # noqa: T201 (what it is run for)
    print(  # noqa: T201
        f"{PROMPTS} prompts x 3 targets: {took_s:.1f} s with scores, {calls['sent']} calls sent, "
        f"{calls['cache']} from the cache, peak {peak_mib:.0f} MiB"
    )
    assert peak_mib < 300


HTTP = """
{models}
[rse]
targets = ["target"]
reference = "reference"
judge = "judge"
prompts = [{{ name = "own", path = "p.jsonl" }}]
"""


@pytest.mark.parametrize(
    "slots", [{"target": 8, "reference": 8, "judge": 8}, {"target": 4, "reference": 8, "judge": 12}]
)
def test_calls_overlap_as_far_as_the_slots_allow(tmp_path: Path, slots: dict[str, int]) -> None:
    """The time from the first call to the last answer, beside what the busiest model needs."""
    latency_s = 0.2
    write_prompts(tmp_path, 96)
    with simulator("--latency-ms", "200") as url:
        models = "".join(
            f'[models.{name}]\nprovider = "http"\nmodel = "{model}"\nbase_url = "{url}"\n'
            f"slots = {slots[name]}\n"
            for name, model in (
                ("target", "sim-target"), ("reference", "sim-writer"), ("judge", "sim-judge"),
            )
        )  # fmt: skip
        (tmp_path / "c.toml").write_text(HTTP.format(models=models))
        done = hydrometer(
            "rse", "c.toml", "--out", "run", "--cache", "cache", "-q", "--no-preflight",
            cwd=tmp_path,
        )  # fmt: skip
        with urlopen(url.replace("/v1", "/stats"), timeout=10) as reply:
            took_s = json.load(reply)["seconds"]

    assert done.returncode == 0, done.stderr
    sent: Counter[str] = Counter()
    for line in (tmp_path / "run" / "timings.jsonl").read_text().splitlines():
        row = json.loads(line)
        sent[row["pool"]] += row.get("source") == "sent"
    least_s = max(sent[name] * latency_s / slots[name] for name in slots)
    print(  # noqa: T201
        f"\n{dict(sent)} calls of {latency_s} s by {slots}: {took_s:.2f} s, "
        f"{took_s / least_s:.2f} times the least"
    )
    assert took_s <= 1.3 * least_s
