"""Faulty replies of a simulated endpoint, as values without sockets.

Each kind of fault has several forms, as clients meet them at real endpoints and proxies. They are
used in turn. The first form is the plain one, which ``errors`` always uses.
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
    """A valid HTTP reply with any content; the connection stays open."""

    status: int = 200
    headers: Headers = (_JSON,)
    body: bytes


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that are no valid reply; then the connection is closed.

    With *hold* it stays open, and the client has to close it.
    """

    data: bytes = b""
    hold: bool = False


class _Context(msgspec.Struct, frozen=True, kw_only=True):
    """The input of a form: the answer that is withheld, and the quota headers."""

    answer: bytes
    quota: Headers
    retry_after_s: float
    unix_s: float


_Form: TypeAlias = Callable[[_Context], Whole | Broken]


def planted_reply(
    fault: PlantedFault,
    form: int,
    *,
    answer: bytes,
    quota: Mapping[str, str],
    retry_after_s: float,
    unix_s: float,
) -> Whole | Broken:
    """Return the reply for *fault* in place of *answer*; *quota* are headers to add.

    *form*, modulo the number of forms, selects one of the fault's forms.
    """
    forms = _FORMS[fault]
    context = _Context(
        answer=answer, quota=tuple(quota.items()), retry_after_s=retry_after_s, unix_s=unix_s
    )
    return forms[form % len(forms)](context)


def error_reply(
    status: int, message: str, kind: str, headers: Mapping[str, str] | None = None
) -> Whole:
    """Return the reply with *status* and an error object."""
    return Whole(
        status=status, headers=(_JSON, *(headers or {}).items()), body=write_error(message, kind)
    )


def _refuse(context: _Context, *extra: tuple[str, str]) -> Whole:
    return error_reply(429, "slow down", "rate_limit_error", dict((*context.quota, *extra)))


def _after_seconds(context: _Context) -> Whole:
    return _refuse(context, ("retry-after", f"{context.retry_after_s:g}"))


def _after_milliseconds(context: _Context) -> Whole:
    return _refuse(context, ("retry-after-ms", f"{context.retry_after_s * 1000:.0f}"))


def _after_date(context: _Context) -> Whole:
    date = formatdate(
        context.unix_s + context.retry_after_s, usegmt=True
    )  # whole seconds, rounded down
    return _refuse(context, ("retry-after", date))


def _failure(context: _Context) -> Whole:
    return error_reply(500, "planted failure", "server_error", dict(context.quota))


def _bad_gateway(context: _Context) -> Whole:
    page = _PAGE.format("502 Bad Gateway").encode()
    return Whole(status=502, headers=(_HTML, *context.quota), body=page)


def _unavailable(context: _Context) -> Whole:
    headers = dict((*context.quota, ("retry-after", f"{context.retry_after_s:g}")))
    return error_reply(503, "overloaded", "server_error", headers)


def _head(context: _Context, *extra: tuple[str, str]) -> bytes:
    lines = ["HTTP/1.1 200 OK"]
    lines += [f"{name}: {value}" for name, value in (_JSON, *context.quota, *extra)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _head_of_answer(context: _Context) -> bytes:
    """Return the head of a reply with the whole answer."""
    return _head(context, ("content-length", str(len(context.answer))))


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _cut_body(context: _Context) -> Broken:
    return Broken(data=_head_of_answer(context) + _half(context.answer))


def _cut_head(context: _Context) -> Broken:
    return Broken(data=_half(_head_of_answer(context)))


def _cut_chunks(context: _Context) -> Broken:
    chunk = _half(context.answer)
    head = _head(context, ("transfer-encoding", "chunked"))
    return Broken(data=head + b"%x\r\n%b\r\n" % (len(chunk), chunk))


def _stalled_body(context: _Context) -> Broken:
    return Broken(data=_head_of_answer(context) + _half(context.answer), hold=True)


def _garbled(context: _Context, body: bytes, kind: tuple[str, str] = _JSON) -> Whole:
    return Whole(headers=(kind, *context.quota), body=body)


def _without_choices(context: _Context, **instead: object) -> Whole:
    reply = json.loads(context.answer)
    del reply["choices"]
    return _garbled(context, msgspec.json.encode(reply | instead))


def _too_long(context: _Context) -> Broken:
    """Send more than Content-Length states: a client that trusts it reads half a reply."""
    length = str(len(context.answer) // 2)
    return Broken(data=_head(context, ("content-length", length)) + context.answer)


_FORMS: Mapping[PlantedFault, tuple[_Form, ...]] = {
    "rate_limited": (_after_seconds, _after_milliseconds, _after_date, _refuse),
    "failed": (_failure, _bad_gateway, _unavailable),
    "cut": (_cut_body, lambda _: Broken(), _cut_head, _cut_chunks),
    "stalled": (
        _stalled_body,
        lambda context: Broken(data=_head_of_answer(context), hold=True),
        lambda _: Broken(hold=True),
    ),
    "malformed": (
        lambda context: _garbled(context, _half(context.answer)),
        lambda context: _garbled(context, _PAGE.format("Just a moment...").encode(), _HTML),
        lambda context: _garbled(context, b""),
        lambda context: _without_choices(context),  # noqa: PLW0108 (a form takes nothing else)
        lambda context: _without_choices(context, choices="none"),
        lambda context: _without_choices(context, choices=()),
        lambda context: _garbled(context, write_error("upstream failed", "server_error")),
        lambda context: _garbled(
            context, b"data: " + context.answer + b"\n\ndata: [DONE]\n\n", _EVENTS
        ),
        _too_long,
    ),
}
