"""A replayed call, engine and events included, against a bare loop of hash, look-up and decode."""

from __future__ import annotations

import tempfile
from hashlib import blake2b
from pathlib import Path

import diskcache
import msgspec

from hydrometer.command_line.process import tuned_gc
from hydrometer.commands.replay import replay_run
from hydrometer.engine.records.tally import Tally
from hydrometer.providers.types import Message, Request, Response, Sampling

from .calls import MAX_TOKENS, prompt_of
from .measure import Round, last_line, row, timed
from .whole import PLUGINS, run_whole

PROBES = 5000

CONFIG = """
[models.target]
provider = "simulated"
model = "sim-target"
vendor = "alibaba"
fact = "I am Sim, a language model developed by Simulab."
[models.helper]
provider = "simulated"
model = "sim-helper"
sampling = {{ temperature = 1.0 }}
[models.judge]
provider = "simulated"
model = "sim-judge"
[ice]
targets = ["target"]
helper = "helper"
judge = "judge"
probes = {probes}
"""


async def run(calls: int, rounds: int) -> None:
    """Print the table and the ratio."""
    probes = calls or PROBES
    bare: list[Round] = []
    whole: list[Round] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tally = Tally()
        await run_whole(CONFIG.format(probes=probes), folder, tally)
        answered = tally.calls.total()

        async def replayed() -> int:
            with tuned_gc():
                result = await replay_run(folder / "run", None, PLUGINS)
            assert result.complete
            return answered

        with diskcache.Cache(str(folder / "bare"), eviction_policy="none") as cache:
            requests = _fill(cache, answered)

            async def loop() -> int:
                return _look_up(cache, requests)

            for number in range(rounds + 1):
                found = await timed(loop), await timed(replayed)
                if number:  # the first round warms up
                    bare.append(found[0])
                    whole.append(found[1])
    print(f"{answered} calls of {probes} probes, medians of {rounds} rounds")
    print(row("bare loop: encode, hash, diskcache get, decode", bare, bare))
    print(row("hydrometer replay: engine and events included", whole, bare))
    print(last_line("replay", whole, bare))


def _fill(cache: diskcache.Cache, calls: int) -> list[Request]:
    response = msgspec.json.encode(Response(text="I am glad to help. " * 60))
    requests = [
        Request(
            identity="bare",
            messages=(Message(role="user", content=prompt_of(number)),),
            sampling=Sampling(max_tokens=MAX_TOKENS),
        )
        for number in range(calls)
    ]
    with cache.transact():
        for request in requests:
            cache.add(_key(request), response)
    return requests


def _look_up(cache: diskcache.Cache, requests: list[Request]) -> int:
    decoder = msgspec.json.Decoder(Response)
    for request in requests:
        decoder.decode(cache.get(_key(request)))
    return len(requests)


def _key(request: Request) -> str:
    return blake2b(msgspec.json.encode(request), digest_size=20).hexdigest()
