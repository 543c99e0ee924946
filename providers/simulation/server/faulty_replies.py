"""What goes over the wire when a planted fault takes the place of an answer: values, no sockets.

Each kind of fault has the forms that clients meet at real endpoints and the proxies before them,
and plays them in turn. Its first form is the plain one that ``errors`` always takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import TypeAlias

import msgspec

from .server_wire import write_error
from .simulator_settings import PlantedFault

_JSON = ("content-type", "application/json")
_HTML = ("content-type", "text/html; charset=utf-8")
_EVENTS = ("content-type", "text/event-stream")
_PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body><h1>{0}</h1></body>\r\n</html>\r\n"

Headers: TypeAlias = tuple[tuple[str, str], ...]


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """A reply that is proper HTTP, whatever it says; the connection stays open."""

    status: int = 200
    headers: Headers = (_JSON,)
    body: bytes


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that are no proper reply, after which the connection is closed.

    On *hold* it is the client that has to close it: nothing else happens.
    """

    data: bytes = b""
    hold: bool = False


class _Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What the forms draw from: the answer that is withheld, and what is said of limits."""

    answer: bytes
    quota: Headers
    retry_after_s: float
    unix_s: float


_Form: TypeAlias = Callable[[_Scene], Whole | Broken]


def planted_reply(
    fault: PlantedFault,
    form: int,
    *,
    answer: bytes,
    quota: Mapping[str, str],
    retry_after_s: float,
    unix_s: float,
) -> Whole | Broken:
    """Return what the caller gets for *fault* in place of *answer*; *quota* are headers to add.

    *form* says which of the fault's forms, modulo their number.
    """
    forms = _FORMS[fault]
    scene = _Scene(
        answer=answer, quota=tuple(quota.items()), retry_after_s=retry_after_s, unix_s=unix_s
    )
    return forms[form % len(forms)](scene)


def error_reply(
    status: int, message: str, kind: str, headers: Mapping[str, str] | None = None
) -> Whole:
    """Return the reply with *status* and an error object."""
    return Whole(
        status=status, headers=(_JSON, *(headers or {}).items()), body=write_error(message, kind)
    )


def _refuse(scene: _Scene, *extra: tuple[str, str]) -> Whole:
    return error_reply(429, "slow down", "rate_limit_error", dict((*scene.quota, *extra)))


def _after_seconds(scene: _Scene) -> Whole:
    return _refuse(scene, ("retry-after", f"{scene.retry_after_s:g}"))


def _after_milliseconds(scene: _Scene) -> Whole:
    return _refuse(scene, ("retry-after-ms", f"{scene.retry_after_s * 1000:.0f}"))


def _after_date(scene: _Scene) -> Whole:
    date = formatdate(scene.unix_s + scene.retry_after_s, usegmt=True)  # in whole seconds, down
    return _refuse(scene, ("retry-after", date))


def _failure(scene: _Scene) -> Whole:
    return error_reply(500, "planted failure", "server_error", dict(scene.quota))


def _bad_gateway(scene: _Scene) -> Whole:
    page = _PAGE.format("502 Bad Gateway").encode()
    return Whole(status=502, headers=(_HTML, *scene.quota), body=page)


def _unavailable(scene: _Scene) -> Whole:
    headers = dict((*scene.quota, ("retry-after", f"{scene.retry_after_s:g}")))
    return error_reply(503, "overloaded", "server_error", headers)


def _head(scene: _Scene, *extra: tuple[str, str]) -> bytes:
    lines = ["HTTP/1.1 200 OK"]
    lines += [f"{name}: {value}" for name, value in (_JSON, *scene.quota, *extra)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _promise(scene: _Scene) -> bytes:
    """Return the head of a reply that holds the whole answer."""
    return _head(scene, ("content-length", str(len(scene.answer))))


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _cut_body(scene: _Scene) -> Broken:
    return Broken(data=_promise(scene) + _half(scene.answer))


def _cut_head(scene: _Scene) -> Broken:
    return Broken(data=_half(_promise(scene)))


def _cut_chunks(scene: _Scene) -> Broken:
    chunk = _half(scene.answer)
    head = _head(scene, ("transfer-encoding", "chunked"))
    return Broken(data=head + b"%x\r\n%b\r\n" % (len(chunk), chunk))


def _stalled_body(scene: _Scene) -> Broken:
    return Broken(data=_promise(scene) + _half(scene.answer), hold=True)


def _garbled(scene: _Scene, body: bytes, kind: tuple[str, str] = _JSON) -> Whole:
    return Whole(headers=(kind, *scene.quota), body=body)


def _without_choices(scene: _Scene, **instead: object) -> Whole:
    reply = json.loads(scene.answer)
    del reply["choices"]
    return _garbled(scene, msgspec.json.encode(reply | instead))


def _too_long(scene: _Scene) -> Broken:
    """Send more than is promised: who believes Content-Length gets half a reply."""
    length = str(len(scene.answer) // 2)
    return Broken(data=_head(scene, ("content-length", length)) + scene.answer)


_FORMS: Mapping[PlantedFault, tuple[_Form, ...]] = {
    "rate_limited": (_after_seconds, _after_milliseconds, _after_date, _refuse),
    "failed": (_failure, _bad_gateway, _unavailable),
    "cut": (_cut_body, lambda _: Broken(), _cut_head, _cut_chunks),
    "stalled": (
        _stalled_body,
        lambda scene: Broken(data=_promise(scene), hold=True),
        lambda _: Broken(hold=True),
    ),
    "malformed": (
        lambda scene: _garbled(scene, _half(scene.answer)),
        lambda scene: _garbled(scene, _PAGE.format("Just a moment...").encode(), _HTML),
        lambda scene: _garbled(scene, b""),
        lambda scene: _without_choices(scene),  # noqa: PLW0108 (a form takes nothing else)
        lambda scene: _without_choices(scene, choices="none"),
        lambda scene: _without_choices(scene, choices=()),
        lambda scene: _garbled(scene, write_error("upstream failed", "server_error")),
        lambda scene: _garbled(scene, b"data: " + scene.answer + b"\n\ndata: [DONE]\n\n", _EVENTS),
        _too_long,
    ),
}
