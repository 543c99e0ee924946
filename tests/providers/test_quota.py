"""What headers say of limits, and what they are not believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.providers.quota import Allowance, Quota, read_quota, to_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("120ms", 0.12),
        ("0.5", 0.5),
        ("59", 59.0),
        ("1m30.5s", 90.5),
        ("2h3m", 7380.0),
        ("1d", 86400.0),
        ("0s", 0.0),
        ("-3", 0.0),
        ("250us", 0.00025),
    ],
)
def test_duration_is_read(text: str, seconds: float) -> None:
    assert to_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", [None, "", "soon", "s", "1x", "1s?", "x1s", "inf", "nan", "1e999"])
def test_what_is_no_duration_is_none(text: str | None) -> None:
    assert to_seconds(text) is None


@given(text=st.text(max_size=30) | st.text("0123456789.hmsdu-e", max_size=12))
def test_any_text_is_a_duration_that_is_not_negative_or_none(text: str) -> None:
    seconds = to_seconds(text)

    assert seconds is None or 0.0 <= seconds < float("inf")


def test_headers_are_read() -> None:
    headers = {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "599",
        "x-ratelimit-reset-requests": "100ms",
        "x-ratelimit-limit-tokens": "200000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "6m0s",
    }

    assert read_quota(headers) == Quota(
        requests=Allowance(limit=600, remaining=599, reset_s=0.1),
        tokens=Allowance(limit=200_000, remaining=0, reset_s=360.0),
    )


@pytest.mark.parametrize("headers", [{}, {"retry-after": "3"}])
def test_headers_that_say_nothing(headers: dict[str, str]) -> None:
    assert read_quota(headers) is None


def test_nonsense_in_headers_is_left_out() -> None:
    headers = {
        "x-ratelimit-limit-requests": "-5",
        "x-ratelimit-remaining-requests": "many",
        "x-ratelimit-reset-requests": "tomorrow",
    }

    assert read_quota(headers) == Quota()


@pytest.mark.parametrize(
    ("reset_s", "per_minute"),
    [(0.0, 600), (60.0, 600), (60.1, None), (86400.0, None), (None, None)],
)
def test_only_a_quota_that_is_back_within_a_minute_is_one_of_a_minute(
    reset_s: float | None, per_minute: int | None
) -> None:
    assert Allowance(limit=600, remaining=3, reset_s=reset_s).per_minute == per_minute


@pytest.mark.parametrize(
    ("remaining", "reset_s", "asked_s"),
    [(1, 30.0, 0.0), (0, 30.0, 30.0), (0, None, 0.0), (None, 30.0, 0.0), (0, 86400.0, 300.0)],
)
def test_quota_that_is_used_up_asks_for_a_bounded_cooldown(
    remaining: int | None, reset_s: float | None, asked_s: float
) -> None:
    allowance = Allowance(limit=600, remaining=remaining, reset_s=reset_s)

    assert allowance.asked_s == asked_s
    assert Quota(requests=allowance).asked_s == Quota(tokens=allowance).asked_s == asked_s
