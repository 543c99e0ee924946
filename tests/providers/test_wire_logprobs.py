"""Log probabilities are an extra: whatever they look like, the answer is not lost for them."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydrometer.cache.entry import decode_response, encode_entry
from hydrometer.cache.keys import request_key
from hydrometer.providers.http.wire import from_body, to_body
from hydrometer.providers.types import Message, Request, Response, Sampling, TokenLogprob


def reply(logprobs: object, text: str = "4") -> bytes:
    choice = {"message": {"content": text}, "finish_reason": "stop", "logprobs": logprobs}
    return json.dumps({"choices": [choice]}).encode()


def read(logprobs: object) -> tuple[TokenLogprob, ...]:
    response = from_body(reply(logprobs), "chat")
    assert response.text == "4"
    return response.logprobs


def one(**fields: object) -> dict[str, object]:
    return {"content": [{"token": "4", "logprob": -0.5} | fields]}


def test_tokens_come_with_their_alternatives() -> None:
    top = [
        {"token": "4", "logprob": -0.5, "bytes": [52]},
        {"token": "5", "logprob": -1, "bytes": None},
    ]

    found = read(one(bytes=[52], top_logprobs=top) | {"refusal": None})

    assert found == (
        TokenLogprob(token="4", logprob=-0.5, alternatives=(("4", -0.5), ("5", -1.0))),
    )


def test_tokens_without_alternatives_are_tokens_all_the_same() -> None:
    assert read(one()) == (TokenLogprob(token="4", logprob=-0.5),)
    assert read(one(top_logprobs=[])) == (TokenLogprob(token="4", logprob=-0.5),)


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        {},
        [],
        [1, 2],
        3,
        "none",
        True,
        {"content": None},
        {"content": {}},
        {"content": [None]},
        {"content": [[]]},
        {"content": ["4"]},
        {"content": [{"token": "4"}]},
        {"content": [{"logprob": -1.0}]},
        {"content": [{"token": 4, "logprob": -1.0}]},
        {"content": [{"token": "4", "logprob": "-1.0"}]},
        {"content": [{"token": "4", "logprob": None}]},
        {"content": [{"token": "4", "logprob": True}]},
        {"content": [{"token": "4", "logprob": -1.0, "top_logprobs": {"5": -2.0}}]},
        {"content": [{"token": "4", "logprob": -1.0, "top_logprobs": [{"5": -2.0}]}]},
        {"content": [{"token": "4", "logprob": -1.0}, {"token": "5"}]},
        {"tokens": ["4"], "token_logprobs": [-0.1], "top_logprobs": [{"4": -0.1}]},
    ],
)
def test_what_has_another_shape_is_left_out_and_the_answer_stays(logprobs: object) -> None:
    assert read(logprobs) == ()


@pytest.mark.parametrize("number", [-9999.0, -1e308, 0, 0.5, 1e308, 5e-324])
def test_numbers_that_are_no_log_probabilities_are_the_judge_s_to_refuse(number: float) -> None:
    assert read(one(logprob=number)) == (TokenLogprob(token="4", logprob=float(number)),)


def test_half_a_surrogate_pair_in_a_token_becomes_a_replacement_character() -> None:
    assert read(one(token="\ud83d")) == (TokenLogprob(token="\ufffd", logprob=-0.5),)


def test_an_answer_of_another_mode_has_none() -> None:
    choice = {"text": "4", "finish_reason": "stop", "logprobs": {"tokens": ["4"]}}

    assert from_body(json.dumps({"choices": [choice]}).encode(), "completion") == Response(text="4")


def test_they_are_asked_for_as_the_user_writes_it() -> None:
    sampling = Sampling(extra='{"logprobs":true,"top_logprobs":5}')
    request = Request(
        identity="t", messages=(Message(role="user", content="Grade."),), sampling=sampling
    )

    sent = json.loads(to_body(request, "m"))

    assert (sent["logprobs"], sent["top_logprobs"]) == (True, 5)


def test_they_are_kept_in_the_cache() -> None:
    request = Request(identity="t", messages=(Message(role="user", content="Grade."),))
    response = from_body(reply(one(top_logprobs=[{"token": "5", "logprob": -1.25}])), "chat")
    key = request_key(request)

    assert response.logprobs
    assert decode_response(key, encode_entry(key, request, response)) == response


def test_an_answer_stored_before_there_were_any_is_read() -> None:
    old = b'{"text":"4","finish":"stop","model":"m"}'

    assert msgspec.json.decode(old, type=Response) == Response(text="4", model="m")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["content", "token", "logprob", "top_logprobs", "bytes"]), inner, max_size=4
    ),
    max_leaves=12,
)  # fmt: skip


@given(logprobs=JSON)
@settings(max_examples=150)
def test_no_logprobs_that_are_json_cost_the_answer(logprobs: object) -> None:
    assert from_body(reply(logprobs), "chat").text == "4"


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "Infinity"])
def test_a_number_that_json_does_not_know_costs_the_logprobs_and_not_the_answer(
    number: str,
) -> None:
    data = (
        '{"choices": [{"message": {"content": "4"}, "finish_reason": "stop", "logprobs": '
        f'{{"content": [{{"token": "4", "logprob": {number}, "top_logprobs": []}}]}}}}]}}'
    )

    response = from_body(data.encode(), "chat")

    assert response.text == "4"
    assert response.logprobs == ()
