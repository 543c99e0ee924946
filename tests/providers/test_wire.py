"""The wire's two conversions, and what an endpoint's errors become."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any

import pytest

from hydrometer.providers.errors import (
    AccessDenied,
    RateLimited,
    ReplyMalformed,
    ReplyUnusable,
    RequestRejected,
    ServiceFailed,
    SettingsInvalid,
    TimedOut,
)
from hydrometer.providers.http.exchange import HttpReply, read_reply
from hydrometer.providers.http.wire import from_body, split_reasoning, to_body
from hydrometer.providers.http.wire_errors import error_from, to_excerpt, to_token
from hydrometer.providers.quota import Allowance, Quota
from hydrometer.providers.types import Message, Request, Response, Sampling, Usage
from hydrometer.testing import make_request

NOW = 1_700_000_000.0


def ask(sampling: Sampling, text: str = "hi") -> Request:
    return Request(
        identity="test", messages=(Message(role="user", content=text),), sampling=sampling
    )


def body_of(sampling: Sampling) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(to_body(ask(sampling), "m"))
    assert sent.pop("model") == "m"
    assert sent.pop("messages") == [{"role": "user", "content": "hi"}]
    return sent


def chat(**message: object) -> bytes:
    finish = message.pop("finish_reason", "stop")
    return json.dumps({"choices": [{"message": message, "finish_reason": finish}]}).encode()


def test_what_is_not_set_is_not_sent() -> None:
    assert body_of(Sampling()) == {}


def test_everything_that_is_set_is_sent() -> None:
    sampling = Sampling(
        temperature=0.0,
        top_p=0.9,
        max_tokens=5,
        max_tokens_field="max_completion_tokens",
        seed=0,
        stop=("a", "b"),
        extra='{"top_k":1,"nested":{"x":[1.5,null]}}',
    )

    assert body_of(sampling) == {
        "temperature": 0.0,
        "top_p": 0.9,
        "max_completion_tokens": 5,
        "seed": 0,
        "stop": ["a", "b"],
        "top_k": 1,
        "nested": {"x": [1.5, None]},
    }


def test_completion_sends_its_message_as_the_prompt() -> None:
    request = Request(
        identity="test", mode="completion", messages=(Message(role="user", content="Once"),)
    )

    assert json.loads(to_body(request, "m")) == {"model": "m", "prompt": "Once"}


@pytest.mark.parametrize("name", ["model", "messages", "prompt", "stream", "temperature"])
def test_extra_cannot_set_what_is_sent_already(name: str) -> None:
    sampling = Sampling(temperature=0.5, extra=json.dumps({"a": 1, name: 0}))

    with pytest.raises(SettingsInvalid) as caught:
        to_body(ask(sampling), "m")

    assert str(caught.value) == f"sampling.extra must not set {name}: it is sent already"


@pytest.mark.parametrize("extra", ["[]", "{", "1"])
def test_extra_must_be_an_object(extra: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        to_body(ask(Sampling(extra=extra)), "m")

    assert str(caught.value) == "sampling.extra must be a JSON object"


def test_text_without_a_utf_8_form_is_rejected_before_it_is_sent() -> None:
    with pytest.raises(RequestRejected) as caught:
        to_body(ask(Sampling(), "half \ud83d"), "m")

    assert caught.value.status == 0
    assert str(caught.value) == (
        "the request holds a lone surrogate, which cannot be sent as UTF-8"
    )


@pytest.mark.parametrize(
    ("named", "finish"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("end_turn", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("max_length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "other"),
        (None, "other"),
    ],
)
def test_finish_reasons(named: str | None, finish: str) -> None:
    assert from_body(chat(content="hi", finish_reason=named), "chat").finish == finish


def test_unknown_fields_are_ignored_and_known_ones_may_be_null() -> None:
    reply: dict[str, object] = {
        "model": None,
        "system_fingerprint": None,
        "usage": {"prompt_tokens": 3.0, "completion_tokens": None, "details": {}},
        "choices": [{"message": {"content": "hi", "tool_calls": []}, "logprobs": None}],
        "error": None,
        "new": [{}],
    }

    assert from_body(json.dumps(reply).encode(), "chat") == Response(
        text="hi", finish="other", usage=Usage(input_tokens=3)
    )


def test_usage_without_counts_is_no_usage() -> None:
    reply = {"choices": [{"text": "hi", "finish_reason": "stop"}], "usage": {}}

    assert from_body(json.dumps(reply).encode(), "completion") == Response(text="hi")


@pytest.mark.parametrize("count", ["-1", "1e13", "1e300", "NaN", "-Infinity"])
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_usage_that_cannot_be_is_no_usage(name: str, count: str) -> None:
    other = {"prompt_tokens": "completion_tokens"}.get(name, "prompt_tokens")
    usage = f'{{"{name}": {count}, "{other}": null}}'
    reply = f'{{"choices": [{{"message": {{"content": "hi"}}}}], "usage": {usage}}}'

    assert from_body(reply.encode(), "chat").usage is None


@pytest.mark.parametrize(
    "choices", [[], [{"message": {"content": None}}]], ids=["malformed", "unusable"]
)
def test_a_reply_that_is_no_answer_tells_what_it_cost(choices: list[object]) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    reply = HttpReply(
        status=200, headers={}, body=json.dumps({"choices": choices, "usage": usage}).encode()
    )

    try:
        read_reply(reply, make_request(), model="m", now=NOW)
    except (ReplyMalformed, ReplyUnusable) as error:
        told = error.usage

    assert told == Usage(input_tokens=7, output_tokens=2)


PROMPT = "You are the captain\nof a ship. Who built you, captain? Tell us in one sentence."


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"cannot render: {PROMPT}", "cannot render: …"),
        (f"bad input '{PROMPT[5:60]}' at 5", "bad input '…' at 5"),
        ("too long: you are the cap", "too long: you are the cap"),
        (f"{PROMPT[:30]} and {PROMPT[30:]}", "…and…"),
        ("asked for: Be kind.", "asked for: …"),
    ],
)
def test_what_a_server_repeats_of_a_prompt_is_cut_out(said: str, kept: str) -> None:
    for body in (json.dumps({"error": {"message": said}}).encode(), said.encode()):
        error = error_from(400, {}, body, model="m", now=NOW, prompts=("Be kind.", PROMPT, "a"))

        assert str(error) == f"m answered 400: {kept}"


def test_only_text_parts_are_text() -> None:
    data = chat(
        content=[
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            {"type": "text", "text": "h"},
            {"type": "text", "text": None},
            {"type": "text", "text": "i"},
        ]
    )

    assert from_body(data, "chat") == Response(text="hi")


def test_refusal_can_be_a_part() -> None:
    data = chat(content=[{"type": "refusal", "refusal": "no"}])

    assert from_body(data, "chat") == Response(text="", refusal="no")


def test_reasoning_of_both_kinds_is_kept() -> None:
    data = chat(content="<think>b</think>hi", reasoning_content="a\n")

    assert from_body(data, "chat") == Response(text="hi", reasoning="a\nb")


def test_reasoning_that_is_no_text_is_no_reason_to_lose_the_answer() -> None:
    assert from_body(chat(content="hi", reasoning={"a": 1}), "chat") == Response(text="hi")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hi", ("", "hi")),
        ("\n hi\n", ("", "\n hi\n")),
        ("<think>a</think>hi", ("a", "hi")),
        ("\n <think>\na\n</think>\n \n  hi\n", ("a", "  hi\n")),
        ("<think></think>hi", ("", "hi")),
        ("<think>a</think>b</think>c", ("a", "b</think>c")),
        ("<think>a", ("a", "")),
        ("<think>", ("", "")),
        ("a</think>\n\nhi", ("a", "hi")),
        ("</think>hi", ("", "hi")),
        ("write <think>a</think> so", ("", "write <think>a</think> so")),
        ("write <think> so", ("", "write <think> so")),
    ],
)
def test_leading_reasoning_is_split_off(text: str, expected: tuple[str, str]) -> None:
    assert split_reasoning(text) == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the reply is not JSON (content type: text/plain)"),
        (b'{"choices":', "the reply is not JSON (content type: text/plain)"),
        (b'{"choices": NaN}', "the reply has no choices"),
        (b"{}", "the reply has no choices"),
        (b'{"choices": null}', "the reply has no choices"),
        (b'{"error": {"type": "server_error", "message": "x"}}', "server_error"),
        (b'{"error": {"code": "overloaded", "message": "x"}}', "overloaded"),
        (b'{"error": {"type": "two words"}}', "unknown"),
        (b'{"error": "all of the body"}', "unknown"),
        (b'{"choices": [{}]}', "Object missing required field `message` - at `$.choices[0]`"),
        (b"[" * 100_000, "Expected `object`, got `array`"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_reply_that_the_api_does_not_promise_is_malformed(data: bytes, message: str) -> None:
    if message.startswith(("Object", "Expected", "nested")):
        message = f"the reply is JSON of another shape: {message}"
    elif not message.startswith("the reply"):
        message = f"the reply is an error of type {message}"

    with pytest.raises(ReplyMalformed) as caught:
        from_body(data, "chat", content_type="text/plain")

    assert str(caught.value) == message


@pytest.mark.parametrize("finish", ["stop", "tool_calls", None])
def test_null_content_without_a_meaning_is_unusable(finish: str | None) -> None:
    with pytest.raises(ReplyUnusable) as caught:
        from_body(chat(content=None, finish_reason=finish), "chat")

    assert str(caught.value) == f"the reply has no content (finish_reason {finish or 'missing'})"


def test_null_completion_is_unusable() -> None:
    with pytest.raises(ReplyUnusable) as caught:
        from_body(b'{"choices": [{"text": null, "finish_reason": "stop"}]}', "completion")

    assert str(caught.value) == "the reply has no content (finish_reason stop)"


def test_empty_content_is_an_answer() -> None:
    assert from_body(chat(content=""), "chat") == Response(text="")


def test_reply_may_begin_with_a_byte_order_mark() -> None:
    assert from_body(b"\xef\xbb\xbf" + chat(content="hi"), "chat") == Response(text="hi")


@pytest.mark.parametrize(
    ("headers", "asked_s"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "1m30s"}, 90.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "9", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "9", "retry-after-ms": "x"}, 9.0),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW + 30)}, 30.0),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, 0.0),
    ],
)
def test_retry_after(headers: dict[str, str], asked_s: float | None) -> None:
    limited = error_from(429, headers, b"", model="m", now=NOW)
    failed = error_from(503, headers, b"", model="m", now=NOW)

    assert isinstance(limited, RateLimited)
    assert isinstance(failed, ServiceFailed)
    assert (limited.retry_after_s, failed.retry_after_s) == (asked_s, asked_s)
    assert (str(limited), str(failed)) == ("m answered 429", "m answered 503")


def test_refusal_without_a_time_asks_until_its_quota_is_there_again() -> None:
    gone = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12s"}

    error = error_from(429, gone, b"", model="m", now=NOW)

    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 12.0
    assert error.quota == Quota(requests=Allowance(remaining=0, reset_s=12.0))


def error_body(message: object = "No money left.", code: object = None) -> bytes:
    return json.dumps({"error": {"message": message, "code": code}}).encode()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (301, None, AccessDenied),
        (400, None, RequestRejected),
        (401, None, AccessDenied),
        (402, None, AccessDenied),
        (403, None, AccessDenied),
        (404, None, AccessDenied),
        (408, None, TimedOut),
        (409, None, RequestRejected),
        (422, None, RequestRejected),
        (429, None, RateLimited),
        (429, "insufficient_quota", AccessDenied),
        (500, None, ServiceFailed),
        (529, None, ServiceFailed),
    ],
)
def test_status_says_whose_fault_it_is(status: int, code: str | None, kind: type) -> None:
    error = error_from(status, {}, error_body(code=code), model="m", now=NOW)

    assert type(error) is kind
    if status != 301:
        assert str(error) == f"m answered {status}: No money left"


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        ("content_filter", "content_filter"),
        ("context_length_exceeded", "context_length_exceeded"),
        (400, ""),
        (None, ""),
        ("two words", ""),
        ("x" * 65, ""),
        ("sk-abcdef123456", ""),
        ("planted", ""),
    ],
)
def test_rejection_keeps_a_code_that_is_a_name(code: object, kept: str) -> None:
    error = error_from(400, {}, error_body(code=code), model="m", now=NOW, secrets=("planted",))

    assert isinstance(error, RequestRejected)
    assert error.code == kept


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ""),
        (b"upstream\r\n\x1b[31mis  down.", "upstream [31mis down"),
        (b"<html>502</html>", ""),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"detail": [{"loc": []}]}', ""),
        (b'{"message": "old style"}', "old style"),
        (b'{"error": "a text"}', "a text"),
        (b'{"error": null}', ""),
        (b'{"error": ["x"]}', ""),
        (b'"a string"', "a string"),
        (b"[" * 100_000, "[" * 197 + "..."),
        (b"caf\xe9", "caf\ufffd"),
    ],
)
def test_message_repeats_one_short_line_of_the_server(body: bytes, words: str) -> None:
    error = error_from(500, {}, body, model="m", now=NOW)

    assert str(error) == (f"m answered 500: {words}" if words else "m answered 500")


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-abcDEF123456",
        "sk-abc***********xyz",
        "hf_abcdefghij",
        "AIzaSyA-1234567890_abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.abc",
        "01234567-89ab-cdef-0123-456789abcdef",
        "0123456789abcdef0123456789abcdef",
        "mine",
    ],
)
def test_keys_are_masked(key: str) -> None:
    assert to_excerpt(f"the key {key}, is wrong", ("mine",)) == "the key [key], is wrong"


def test_bearer_token_is_masked_whatever_it_looks_like() -> None:
    assert to_excerpt("got Bearer p,q") == "got Bearer [key]"


@pytest.mark.parametrize(
    "text",
    [
        "context_length_exceeded_by_the_messages",
        "meta-llama/Llama-3.1-405B-Instruct-FP8",
        "skipping the keyboard",
        "429 Too Many Requests",
    ],
)
def test_ordinary_words_are_not_masked(text: str) -> None:
    assert to_excerpt(text) == text


def test_excerpt_masks_before_it_cuts() -> None:
    text = "x " * 95 + "planted-key"

    assert to_excerpt(text, ("planted-key",)) == "x " * 95 + "[key]"
    assert len(to_excerpt("x" * 1000)) == 200


@pytest.mark.parametrize(
    ("value", "token"),
    [("server_error", "server_error"), ("", ""), ("5xx", ""), (None, ""), ("a b", "")],
)
def test_token_is_a_short_name_or_nothing(value: object, token: str) -> None:
    assert to_token(value) == token
