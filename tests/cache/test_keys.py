from __future__ import annotations

import re
import unicodedata

import msgspec
import pytest

from hydrometer.cache.keys import KeyedRequest, canonical, request_key, with_key
from hydrometer.providers.types import Message, Request, Sampling
from hydrometer.testing import make_request


def test_a_key_stays_what_it_is() -> None:
    """If this fails, stored answers are lost to their requests: raise KEY_VERSION on purpose."""
    assert request_key(make_request()) == "f17d8583537863aab7a9e2a90490141c87467132"


def test_a_keyed_request_has_the_key_of_its_request() -> None:
    request = make_request()

    assert with_key(request) == KeyedRequest(key=request_key(request), request=request)


def test_canonical_text_writes_every_field_with_its_default() -> None:
    request = Request(identity="fake:m", messages=(Message(role="user", content="hi"),))

    assert canonical(request) == (
        b'{"draw":0,"identity":"fake:m","messages":[{"content":"hi","role":"user"}],'
        b'"mode":"chat","sampling":{"extra":"{}","max_tokens":null,'
        b'"max_tokens_field":"max_tokens","seed":null,"stop":[],"temperature":null,'
        b'"top_p":null}}'
    )


_BASE = make_request()
_OTHERS = {
    "identity": msgspec.structs.replace(_BASE, identity="fake:other"),
    "mode": msgspec.structs.replace(_BASE, mode="completion"),
    "draw": msgspec.structs.replace(_BASE, draw=1),
    "content": msgspec.structs.replace(
        _BASE, messages=(Message(role="user", content="Who made you"),)
    ),
    "role": msgspec.structs.replace(
        _BASE, messages=(Message(role="system", content="Who made you?"),)
    ),
    "messages": msgspec.structs.replace(
        _BASE, messages=(*_BASE.messages, Message(role="assistant", content=""))
    ),
    "temperature": msgspec.structs.replace(
        _BASE, sampling=Sampling(temperature=0.1, max_tokens=64)
    ),
    "top_p": msgspec.structs.replace(
        _BASE, sampling=Sampling(temperature=0.0, max_tokens=64, top_p=1.0)
    ),
    "max_tokens": msgspec.structs.replace(_BASE, sampling=Sampling(temperature=0.0)),
    "max_tokens_field": msgspec.structs.replace(
        _BASE,
        sampling=Sampling(temperature=0.0, max_tokens=64, max_tokens_field="max_completion_tokens"),
    ),
    "seed": msgspec.structs.replace(
        _BASE, sampling=Sampling(temperature=0.0, max_tokens=64, seed=0)
    ),
    "stop": msgspec.structs.replace(
        _BASE, sampling=Sampling(temperature=0.0, max_tokens=64, stop=("\n",))
    ),
    "extra": msgspec.structs.replace(
        _BASE, sampling=Sampling(temperature=0.0, max_tokens=64, extra='{"top_k":1}')
    ),
}


@pytest.mark.parametrize("name", _OTHERS)
def test_another_value_of_any_field_makes_another_key(name: str) -> None:
    assert request_key(_OTHERS[name]) != request_key(_BASE)


def test_every_field_has_a_case_above() -> None:
    fields = {*Request.__struct_fields__, *Sampling.__struct_fields__, *Message.__struct_fields__}

    assert set(_OTHERS) == fields - {"sampling"}


def test_equal_requests_have_one_key_however_they_were_made() -> None:
    decoded = msgspec.json.decode(canonical(_BASE), type=Request)

    assert request_key(decoded) == request_key(_BASE)
    assert re.fullmatch(r"[0-9a-f]{40}", request_key(_BASE))


def test_text_is_hashed_as_sent_and_never_normalised() -> None:
    composed = make_request("Où est 你的 équipe?")
    decomposed = make_request(unicodedata.normalize("NFD", "Où est 你的 équipe?"))
    spaced = make_request("Où est 你的 équipe? ")

    keys = {request_key(request) for request in (composed, decomposed, spaced)}

    assert len(keys) == 3
    assert "Où est 你的 équipe?".encode() in canonical(composed)
