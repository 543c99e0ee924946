"""A whole run against a provider that fails in every way: nothing is lost, doubled or changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import hydrometer, simulator, stats, write_config

FAULTS = "rate_limited=0.05,failed=0.05,cut=0.05,stalled=0.05,malformed=0.05"

STATIC = 'search = "static"\ntemplates = "shelves.jsonl"\n'


def write(
    folder: Path, url: str, *, probes: int, slots: int, timeout_s: float, window: int, ice: str
) -> Path:
    config = write_config(folder, url, window=window, probes=probes)
    text = config.read_text()
    text = text.replace("attempts = 12", f"attempts = 14\nslots = {slots}")
    text = text.replace("timeout_s = 20", f"timeout_s = {timeout_s}")
    text = text.replace("questions_per_visit = 5", "questions_per_visit = 25")
    config.write_text(text + ice)
    return config


def compare(
    folder: Path, *, probes: int, slots: int, timeout_s: float, window: int = 16, ice: str = ""
) -> dict[str, float]:
    """Run once against a kind provider and once against a hostile one; return the latter's counts.

    Same plan, so the same events, and none of them a failure.
    """
    with simulator() as url:
        config = write(
            folder, url, probes=probes, slots=slots, timeout_s=timeout_s, window=window, ice=ice
        )
        kind = hydrometer(
            *("ice", config, "--out", folder / "kind", "--cache", folder / "one", "-q"), cwd=folder,
            timeout_s=1500,
        )  # fmt: skip
    with simulator("--faults", FAULTS, "--latency-ms", "5", "--jitter-ms", "5") as url:
        config = write(
            folder, url, probes=probes, slots=slots, timeout_s=timeout_s, window=window, ice=ice
        )
        hostile = hydrometer(
            *("ice", config, "--out", folder / "hostile", "--cache", folder / "two", "-q"),
            cwd=folder, timeout_s=1500,
        )  # fmt: skip
        counts = stats(url)
    assert kind.returncode == 0, kind.stderr
    assert hostile.returncode == 0, hostile.stderr
    events = (folder / "hostile" / "events.jsonl").read_bytes()
    assert events == (folder / "kind" / "events.jsonl").read_bytes()
    assert b'"type":"failed"' not in events
    return counts


def check(counts: dict[str, float], *, slots: int, calls: int) -> None:
    assert counts["answered"] >= calls
    assert counts["resent_after_answer"] == 0
    assert counts["max_in_flight"] <= 3 * slots  # three models at one address
    for fault in ("rate_limited", "failed", "cut", "stalled", "malformed"):
        assert counts[fault] > 0.03 * counts["calls"]


def test_a_hostile_provider_changes_nothing_but_the_time(tmp_path: Path) -> None:
    counts = compare(tmp_path, probes=250, slots=32, timeout_s=5)

    check(counts, slots=32, calls=500)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_20000_calls_at_128_at_once_are_all_answered_once(tmp_path: Path) -> None:
    """Without a helper: its draws of one prompt are different requests with the same body."""
    lines = (f'{{"text": "Shelf {number} asks: {{query}}"}}\n' for number in range(320))
    (tmp_path / "shelves.jsonl").write_text("".join(lines))

    counts = compare(tmp_path, probes=16_000, slots=128, timeout_s=10, window=64, ice=STATIC)

    check(counts, slots=128, calls=20_000)
