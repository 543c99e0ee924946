"""A planted key must not be found in anything that a run writes, says or shows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from processes import HANG_S, command, environment, hydrometer, simulator, wait_until, write_config

KEY = "sk-planted-0123456789abcdefghij"
TOKEN = "tenant-token-planted-9876543210"


def secret_config(folder: Path, url: str, *, probes: int = 20) -> Path:
    config = write_config(folder, url, probes=probes)
    more = 'api_key_env = "PLANTED_KEY"\nheaders = { "X-Tenant-Token" = "env:PLANTED_TOKEN" }\n'
    config.write_text(config.read_text().replace("attempts = 12\n", f"attempts = 3\n{more}"))
    return config


def found_in(folder: Path) -> list[str]:
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in (KEY, TOKEN))
    ]


@pytest.mark.parametrize("faults", ["", "failed=0.9", "malformed=0.9", "cut=0.9"])
def test_no_file_and_no_message_has_the_key(tmp_path: Path, faults: str) -> None:
    flags = ("--faults", faults) if faults else ()
    with simulator(*flags) as url:
        config = secret_config(tmp_path, url)
        said = [
            hydrometer(
                *(*args, "--cache", tmp_path / "cache", "--debug"),
                cwd=tmp_path,
                PLANTED_KEY=KEY,
                PLANTED_TOKEN=TOKEN,
            )
            for args in (
                ("plan", config),
                ("ice", config, "--out", tmp_path / "run", "-v"),
                ("ice", config, "--out", tmp_path / "run", "--resume", "--no-preflight"),
            )
        ]
    said.append(hydrometer("score", tmp_path / "run", cwd=tmp_path))

    assert found_in(tmp_path) == []
    assert not [s for done in said for s in (KEY, TOKEN) if s in done.stdout + done.stderr]


@pytest.mark.parametrize(
    ("proxy", "code"),
    [(f"puser:{TOKEN}@127.0.0.1:9", 3), (f"socks5://puser:{TOKEN}@127.0.0.1:9", 2)],
    ids=["closed", "socks"],
)
def test_no_file_and_no_message_has_the_password_of_a_proxy(
    tmp_path: Path, proxy: str, code: int
) -> None:
    config = write_config(tmp_path, "http://model.test/v1")
    config.write_text(config.read_text().replace("attempts = 12\n", "attempts = 1\n"))

    done = hydrometer(
        *("ice", config, "--out", tmp_path / "run", "--cache", tmp_path / "cache", "--debug"),
        cwd=tmp_path,
        http_proxy=proxy,
        no_proxy="",
    )

    assert done.returncode == code, done.stderr
    assert "in http_proxy" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert found_in(tmp_path) == []


def test_the_process_title_has_no_key(tmp_path: Path) -> None:
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("needs /proc to look at another process's command line")
    with simulator("--latency-ms", "50") as url:
        config = secret_config(tmp_path, url, probes=60)
        process = subprocess.Popen(
            command("ice", config, "--out", tmp_path / "run", "--cache", tmp_path / "cache", "-q"),
            env=environment(PLANTED_KEY=KEY, PLANTED_TOKEN=TOKEN),
            text=True,
        )
        try:
            wait_until((tmp_path / "run" / "events.jsonl").exists, process)
            title = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        finally:
            process.terminate()
            process.wait(timeout=HANG_S)

    assert title
    assert KEY.encode() not in title
    assert TOKEN.encode() not in title
