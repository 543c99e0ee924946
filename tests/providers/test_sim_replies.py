"""What goes over the wire in place of an answer: every form of every fault, as bytes."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import msgspec
import pytest

from hydrometer.providers.simulation.server.faulty_replies import Broken, Whole, planted_reply
from hydrometer.providers.simulation.server.simulator_settings import PlantedFault

ANSWER = b'{"id":"sim-1","choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":1}}'
QUOTA = {"x-ratelimit-limit-requests": "600", "x-ratelimit-remaining-requests": "599"}
UNIX_S = 1_800_000_000.0


def planted(fault: PlantedFault, form: int) -> Whole | Broken:
    return planted_reply(fault, form, answer=ANSWER, quota=QUOTA, retry_after_s=2.5, unix_s=UNIX_S)


def whole(fault: PlantedFault, form: int) -> Whole:
    reply = planted(fault, form)
    assert isinstance(reply, Whole)
    return reply


def broken(fault: PlantedFault, form: int) -> Broken:
    reply = planted(fault, form)
    assert isinstance(reply, Broken)
    return reply


def parts(reply: Broken) -> tuple[dict[str, str], bytes]:
    """The headers and the body, of what has both."""
    head, _, body = reply.data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    pairs = [line.split(": ") for line in lines[1:]]
    return dict(pairs), body


def test_rate_limits_ask_for_their_wait_in_each_form_and_in_none() -> None:
    replies = [whole("rate_limited", form) for form in range(4)]
    asked = [dict(reply.headers) for reply in replies]

    assert [reply.status for reply in replies] == [429] * 4
    assert asked[0]["retry-after"] == "2.5"
    assert asked[1]["retry-after-ms"] == "2500"
    assert parsedate_to_datetime(asked[2]["retry-after"]).timestamp() == UNIX_S + 2
    assert not {"retry-after", "retry-after-ms"} & set(asked[3])


def test_failures_are_those_of_a_server_and_of_a_proxy() -> None:
    replies = [whole("failed", form) for form in range(3)]

    assert [reply.status for reply in replies] == [500, 502, 503]
    assert replies[1].body.startswith(b"<html>")
    assert dict(replies[1].headers)["content-type"] == "text/html; charset=utf-8"
    assert dict(replies[2].headers)["retry-after"] == "2.5"


def test_cuts_come_in_the_body_before_any_byte_in_the_head_and_between_chunks() -> None:
    headers, body = parts(broken("cut", 0))
    assert int(headers["content-length"]) == len(ANSWER) == 2 * len(body) + len(ANSWER) % 2

    assert broken("cut", 1) == Broken(data=b"")

    head = broken("cut", 2).data
    assert head.startswith(b"HTTP/1.1 200")
    assert b"\r\n\r\n" not in head

    headers, body = parts(broken("cut", 3))
    assert headers["transfer-encoding"] == "chunked"
    assert body == b"%x\r\n%b\r\n" % (len(ANSWER) // 2, ANSWER[: len(ANSWER) // 2])


def test_stalls_hold_half_a_body_or_a_head_or_nothing() -> None:
    stalls = [broken("stalled", form) for form in range(3)]

    assert [stall.hold for stall in stalls] == [True] * 3
    assert parts(stalls[0])[1] == ANSWER[: len(ANSWER) // 2]
    assert parts(stalls[1])[1] == b""
    assert stalls[2].data == b""


def test_malformed_replies_are_complete_and_no_answers() -> None:
    replies = [whole("malformed", form) for form in range(8)]

    assert [reply.status for reply in replies] == [200] * 8
    assert replies[0].body == ANSWER[: len(ANSWER) // 2]
    assert replies[1].body.startswith(b"<html>")
    assert replies[2].body == b""
    rest = {"id": "sim-1", "usage": {"prompt_tokens": 1}}
    assert msgspec.json.decode(replies[3].body) == rest
    assert msgspec.json.decode(replies[4].body) == rest | {"choices": "none"}
    assert msgspec.json.decode(replies[5].body) == rest | {"choices": []}
    assert msgspec.json.decode(replies[6].body)["error"]["type"] == "server_error"
    assert replies[7].body == b"data: " + ANSWER + b"\n\ndata: [DONE]\n\n"
    assert dict(replies[7].headers)["content-type"] == "text/event-stream"


def test_last_malformed_reply_is_longer_than_it_says() -> None:
    headers, body = parts(broken("malformed", 8))

    assert body == ANSWER
    assert int(headers["content-length"]) == len(ANSWER) // 2


@pytest.mark.parametrize(
    ("fault", "forms"),
    [("rate_limited", 4), ("failed", 3), ("cut", 4), ("stalled", 3), ("malformed", 9)],
)
def test_forms_come_in_turn_and_all_tell_the_quota(fault: PlantedFault, forms: int) -> None:
    for form in range(forms):
        reply = planted(fault, form)

        assert planted(fault, form + forms) == reply
        if isinstance(reply, Whole):
            assert QUOTA.items() <= dict(reply.headers).items()
        elif b"\r\n\r\n" in reply.data:
            assert QUOTA.items() <= parts(reply)[0].items()
    assert len({planted(fault, form) for form in range(forms)}) == forms
