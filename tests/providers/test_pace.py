"""Minutes of calls against endpoints that count: how near the rate comes, and how many are refused.

Time is virtual, and no two calls take equally long to arrive. The endpoint counts what arrives.
"""

from __future__ import annotations

import math
from collections import deque
from random import Random

import anyio
import pytest

from hydrometer.providers.base import AdapterReply
from hydrometer.providers.errors import RateLimited
from hydrometer.providers.limits.limiter import Limited
from hydrometer.providers.limits.retry import Retrying
from hydrometer.providers.quota import read_quota
from hydrometer.providers.types import Request
from hydrometer.testing import LoopClock, make_request, make_response, run_in_virtual_time

RPM = 600
MINUTES = 6
SLOTS = 64


class CountingEndpoint:
    """Admits *rpm* requests in any 60 seconds, and says of it what *tells* names."""

    def __init__(
        self, *, rpm: int = RPM, tells: str, seed: int = 1, latency_s: float = 0.3
    ) -> None:
        self._rpm = rpm
        self._tells = tells
        self._latency_s = latency_s
        self._rng = Random(seed)
        self._clock = LoopClock()
        self._minute: deque[float] = deque()
        self.admitted: list[float] = []
        self.refused: list[float] = []

    async def send(self, request: Request) -> AdapterReply:
        await self._clock.sleep(self._rng.uniform(0.01, 0.5))
        now = self._clock.now()
        wait_s, headers = self._admit(now)
        if wait_s:
            self.refused.append(now)
            await self._clock.sleep(self._rng.uniform(0.01, 0.1))
            raise RateLimited(
                "m answered 429",
                retry_after_s=float(math.ceil(wait_s)) if "retry-after" in self._tells else None,
                quota=read_quota(headers),
            )
        self.admitted.append(now)
        await self._clock.sleep(self._rng.expovariate(1 / self._latency_s))
        return AdapterReply(response=make_response(), quota=read_quota(headers))

    def _admit(self, now: float) -> tuple[float, dict[str, str]]:
        minute = self._minute
        while minute and minute[0] <= now - 60.0:
            minute.popleft()
        wait_s = 0.0
        if len(minute) < self._rpm:
            minute.append(now)
        else:
            wait_s = minute[0] + 60.0 - now
        if "headers" not in self._tells:
            return wait_s, {}
        return wait_s, {
            "x-ratelimit-limit-requests": str(self._rpm),
            "x-ratelimit-remaining-requests": str(self._rpm - len(minute)),
            "x-ratelimit-reset-requests": f"{minute[0] + 60.0 - now:.3f}s",
        }


class BucketEndpoint(CountingEndpoint):
    """Fills a bucket of *burst* calls at *rpm*; its resets say when it is full again."""

    def __init__(self, *, burst: int, tells: str) -> None:
        super().__init__(tells=tells)
        self._burst = burst
        self._level = float(burst)
        self._filled_s = 0.0

    def _admit(self, now: float) -> tuple[float, dict[str, str]]:
        per_s = RPM / 60
        self._level = min(self._burst, self._level + (now - self._filled_s) * per_s)
        self._filled_s = now
        wait_s = 0.0
        if self._level >= 1.0:
            self._level -= 1.0
        else:
            wait_s = (1.0 - self._level) / per_s
        if "headers" not in self._tells:
            return wait_s, {}
        return wait_s, {
            "x-ratelimit-limit-requests": str(RPM),
            "x-ratelimit-remaining-requests": str(int(self._level)),
            "x-ratelimit-reset-requests": f"{(self._burst - self._level) / per_s:.3f}s",
        }


class FixedMinuteEndpoint(CountingEndpoint):
    """Admits *rpm* requests between two full minutes of its own clock."""

    def _admit(self, now: float) -> tuple[float, dict[str, str]]:
        began_s = (now + 23.0) // 60.0 * 60.0 - 23.0
        while self._minute and self._minute[0] < began_s:
            self._minute.popleft()
        if len(self._minute) < self._rpm:
            self._minute.append(now)
            return 0.0, {}
        return began_s + 60.0 - now, {}


async def send_for_minutes(endpoint: CountingEndpoint, *, rpm: int | None, slots: int) -> None:
    clock = LoopClock()
    limited = Limited(endpoint, slots=slots, rpm=rpm, clock=clock, pool="qwen")
    retrying = Retrying(limited, attempts=14, clock=clock, pool="qwen", rng=Random(2))

    async def work() -> None:
        while True:
            await retrying.complete(make_request())

    with anyio.move_on_after(60.0 * MINUTES):
        async with anyio.create_task_group() as group:
            for _ in range(slots + 8):
                group.start_soon(work)


def after_the_first(minutes: float, endpoint: CountingEndpoint) -> tuple[float, float]:
    """Return the share of the rate that was reached, and the share that was refused."""
    since = 60.0 * minutes
    admitted = sum(since <= at_s < 60.0 * MINUTES for at_s in endpoint.admitted)
    refused = sum(since <= at_s < 60.0 * MINUTES for at_s in endpoint.refused)
    return admitted / (RPM * (MINUTES - minutes)), refused / (admitted + refused)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("rpm", "tells"), [(RPM, "nothing"), (None, "headers"), (None, "retry-after")]
)
def test_rate_is_reached_and_next_to_nothing_refused(
    rpm: int | None, tells: str, seed: int
) -> None:
    endpoint = CountingEndpoint(tells=tells, seed=seed)

    run_in_virtual_time(lambda: send_for_minutes(endpoint, rpm=rpm, slots=SLOTS))

    reached, refused = after_the_first(1, endpoint)
    assert reached >= 0.95
    assert refused < 0.01


@pytest.mark.parametrize("tells", ["nothing", "headers"])
@pytest.mark.parametrize("burst", [10, 100])
def test_endpoint_that_minds_bursts_is_called_evenly(burst: int, tells: str) -> None:
    endpoint = BucketEndpoint(burst=burst, tells=tells)
    rpm = RPM if tells == "nothing" else None

    run_in_virtual_time(lambda: send_for_minutes(endpoint, rpm=rpm, slots=SLOTS))

    reached, refused = after_the_first(1, endpoint)
    assert reached >= 0.95
    assert refused < 0.01


@pytest.mark.parametrize("burst", [10, 600])
def test_rate_of_a_bucket_that_only_refuses_is_found(burst: int) -> None:
    endpoint = BucketEndpoint(burst=burst, tells="retry-after")

    run_in_virtual_time(lambda: send_for_minutes(endpoint, rpm=None, slots=SLOTS))

    reached, refused = after_the_first(2, endpoint)
    assert reached >= 0.95
    assert refused < 0.01


def test_rate_of_an_endpoint_that_counts_full_minutes_is_found() -> None:
    endpoint = FixedMinuteEndpoint(tells="retry-after")

    run_in_virtual_time(lambda: send_for_minutes(endpoint, rpm=None, slots=SLOTS))

    reached, refused = after_the_first(3, endpoint)
    assert reached >= 0.95
    assert refused < 0.01


def test_refusals_that_have_nothing_to_do_with_a_rate_do_not_wear_it_down() -> None:
    class Moody(CountingEndpoint):
        """Refuses one call in twenty, and asks for a cooldown of a second."""

        def _admit(self, now: float) -> tuple[float, dict[str, str]]:
            return float(self._rng.random() < 0.05), {}

    endpoint = Moody(tells="retry-after", latency_s=0.05)

    run_in_virtual_time(lambda: send_for_minutes(endpoint, rpm=None, slots=SLOTS))

    by_minute = [sum(at_s // 60 == minute for at_s in endpoint.admitted) for minute in range(6)]
    assert by_minute[5] > 0.8 * by_minute[1]
