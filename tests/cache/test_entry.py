from __future__ import annotations

import msgspec
import pytest

from hydrometer.cache.entry import (
    Entry,
    _digest,
    decode_entry,
    decode_response,
    encode_entry,
)
from hydrometer.cache.errors import EntryDamaged
from hydrometer.cache.keys import KEY_VERSION, request_key
from hydrometer.testing import make_request, make_response

_REQUEST = make_request("你是谁?")
_RESPONSE = make_response("我是通义千问 🙂")
_KEY = request_key(_REQUEST)
_DATA = encode_entry(_KEY, _REQUEST, _RESPONSE)


def _filed(key: str, value: object) -> bytes:
    payload = msgspec.json.encode(value)
    return _digest(key, payload) + payload


def test_an_entry_comes_back_as_it_was() -> None:
    assert decode_response(_KEY, _DATA) == _RESPONSE
    assert decode_entry(_KEY, _DATA) == Entry(
        key_version=KEY_VERSION, request=_REQUEST, response=_RESPONSE
    )


def test_a_change_of_any_byte_is_found_out() -> None:
    for index in range(len(_DATA)):
        changed = bytearray(_DATA)
        changed[index] ^= 0x20

        with pytest.raises(EntryDamaged, match="its digest does not match"):
            decode_response(_KEY, bytes(changed))


@pytest.mark.parametrize("length", [0, 19, 20, len(_DATA) - 1])
def test_a_cut_entry_is_found_out(length: int) -> None:
    with pytest.raises(EntryDamaged):
        decode_response(_KEY, _DATA[:length])
    with pytest.raises(EntryDamaged):
        decode_entry(_KEY, _DATA[:length])


def test_damage_names_the_key_and_the_rule() -> None:
    with pytest.raises(EntryDamaged) as damage:
        decode_response(_KEY, b"short")

    assert str(damage.value) == (
        f"stored answer {_KEY} is damaged: it is 5 bytes long, shorter than its digest"
    )
    assert damage.value.request_key == _KEY
    assert damage.value.rule == "it is 5 bytes long, shorter than its digest"


def test_a_whole_entry_under_another_key_is_damage() -> None:
    with pytest.raises(EntryDamaged, match="its digest does not match"):
        decode_response(request_key(make_request("other")), _DATA)


def test_an_entry_filed_on_purpose_under_another_key_is_damage() -> None:
    data = _filed("0f" * 20, Entry(key_version=KEY_VERSION, request=_REQUEST, response=_RESPONSE))

    with pytest.raises(EntryDamaged) as damage:
        decode_entry("0f" * 20, data)

    assert damage.value.rule == f"its request has the key {_KEY}"


def test_an_entry_of_another_key_version_keeps_its_key() -> None:
    entry = Entry(key_version=KEY_VERSION + 1, request=_REQUEST, response=_RESPONSE)

    assert decode_entry("0f" * 20, _filed("0f" * 20, entry)) == entry


@pytest.mark.parametrize("value", [{}, {"response": {"finish": "stop"}}, [], "text"])
def test_a_payload_that_is_no_entry_is_damage(value: object) -> None:
    with pytest.raises(EntryDamaged, match="no response can be read from it"):
        decode_response(_KEY, _filed(_KEY, value))
    with pytest.raises(EntryDamaged, match="no entry can be read from it"):
        decode_entry(_KEY, _filed(_KEY, value))
