"""Commands that look and send nothing, and what a run says of itself while it goes."""

from __future__ import annotations

from pathlib import Path

import msgspec
from processes import invoke, keys_sent

from hydrometer.engine.calls.answers import CallFailed
from hydrometer.engine.ice.ice_events import Probed
from hydrometer.engine.ice.ice_fold import IceCounts
from hydrometer.engine.records.tally import RunProgress, Tally
from hydrometer.report.terminal.live.progress import RunLine, clock

CONFIG = """
[models.target]
provider = "simulated"
model = "sim-target"
vendor = "alibaba"
price = { input_per_mtok = 1.0, output_per_mtok = 2.0 }
[models.helper]
provider = "simulated"
model = "sim-helper"
[ice]
targets = ["target"]
helper = "helper"
probes = 40
"""


def write(folder: Path) -> tuple[Path, Path]:
    config = folder / "audit.toml"
    config.write_text(CONFIG)
    return config, folder / "cache"


def test_plan_says_what_would_be_sent_and_makes_no_cache(tmp_path: Path) -> None:
    config, cache = write(tmp_path)

    done = invoke("plan", config, "--cache", cache)

    assert done.returncode == 0, done.stderr
    assert "target: 40 probes, 4 templates" in done.stdout
    assert "nothing yet" in done.stdout
    assert "$0.0" in done.stdout
    assert not cache.exists()


def test_plan_follows_the_search_through_the_cache(tmp_path: Path) -> None:
    config, cache = write(tmp_path)
    run = invoke("ice", config, "--out", tmp_path / "run", "--cache", cache, "-q")
    assert run.returncode == 0, run.stderr

    whole = invoke("plan", config, "--cache", cache)
    config.write_text(CONFIG.replace("probes = 40", "probes = 60"))
    more = invoke("plan", config, "--cache", cache)

    calls = len(keys_sent(tmp_path / "run"))
    assert calls > 40  # a call for each probe, and those of the helper
    assert f"the whole run ({calls} calls found" in whole.stdout
    assert "the first 40 probes" in more.stdout


def test_cache_info_counts_the_answers(tmp_path: Path) -> None:
    config, cache = write(tmp_path)
    assert invoke("ice", config, "--out", tmp_path / "run", "--cache", cache, "-q").returncode == 0

    done = invoke("cache", "info", "--cache", cache)
    quiet = invoke("cache", "info", "-q", "--cache", cache)
    none = invoke("cache", "info", "--cache", tmp_path / "none")

    calls = len(keys_sent(tmp_path / "run"))
    assert calls > 40
    assert f"answers      {calls}" in done.stdout
    assert quiet.stdout == f"{calls}\n"
    assert none.returncode == 2
    assert none.stderr.endswith("none yet; the first run makes it\n")


def test_scores_come_in_every_format_with_the_contracts_keys(tmp_path: Path) -> None:
    config, cache = write(tmp_path)
    assert invoke("ice", config, "--out", tmp_path / "run", "--cache", cache, "-q").returncode == 0

    as_json = msgspec.json.decode(invoke("score", tmp_path / "run", "--format", "json").stdout)
    as_csv = invoke("score", tmp_path / "run", "--format", "csv").stdout
    as_md = invoke("score", tmp_path / "run", "--format", "md").stdout

    contract = {
        *("run", "target", "kind", "judge", "metric", "positives", "judged", "failed", "refused"),
        *("truncated", "unparsed", "rate", "low", "high", "flags"),
    }
    assert [score["metric"] for score in as_json] == ["strict", "hard"]
    assert contract <= as_json[0].keys()
    assert contract <= set(as_csv.splitlines()[0].split(","))
    assert as_md.startswith("|")
    assert msgspec.json.decode((tmp_path / "run" / "scores.json").read_bytes()) == as_json


def test_progress_counts_positives_failures_and_spend() -> None:
    tally = Tally(IceCounts("strict"))
    progress = RunProgress(name="qwen", unit="probes", size=10, tally=tally, priced=True)
    failed = CallFailed(role="target", key="k", error="RequestRejected", message="m")

    tally.write((Probed(ticket=0, template=0, question=0, outcome=failed),))
    tally.cost_usd = 1.5

    line = RunLine(progress).line()
    assert line.startswith("qwen: 1/10 probes, ")
    assert "strict 0 of 0" in line
    assert "failed for good 1" in line
    assert "$1.50" in line


def test_durations_are_written_as_people_write_them() -> None:
    assert [clock(s) for s in (0, 59.6, 61, 3600 + 62)] == ["0:00", "1:00", "1:01", "1:01:02"]
