"""One HTTP exchange seen from above: what came back, and what an adapter makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ..errors import ReplyMalformed, ReplyUnusable
from ..quota import Quota, read_quota
from ..types import Request, Response
from .wire import from_body
from .wire_errors import error_from, to_excerpt

BODY_LIMIT = 8 * 1024 * 1024
_ERROR_BODY_LIMIT = 64 * 1024
_SHORTEST_SECRET = 4  # masking "x", as local servers want for a key, would garble every message


class HttpReply(msgspec.Struct, frozen=True, kw_only=True):
    """A reply as it arrived; a body larger than its limit was cut, but is longer than the limit."""

    status: int
    headers: Mapping[str, str]  # must not mind case
    body: bytes


def is_success(status: int) -> bool:
    """Return whether *status* says that the body is an answer."""
    return 200 <= status < 300


def body_limit(status: int) -> int:
    """Return how many bytes are worth reading of the body of a reply with *status*."""
    return BODY_LIMIT if is_success(status) else _ERROR_BODY_LIMIT


def read_reply(
    reply: HttpReply, request: Request, *, model: str, now: float, secrets: Sequence[str] = ()
) -> tuple[Response, Quota | None]:
    """Return what *reply* holds and says of limits, or raise the ProviderError it stands for.

    *now* is Unix time. None of *secrets* is ever repeated, and no part of *request*'s messages.
    """
    prompts = [message.content for message in request.messages]
    if not is_success(reply.status):
        raise error_from(
            reply.status,
            reply.headers,
            reply.body,
            model=model,
            now=now,
            secrets=secrets,
            prompts=prompts,
        )
    if len(reply.body) > BODY_LIMIT:
        raise ReplyUnusable(f"{model}: the reply is larger than {BODY_LIMIT} bytes")
    try:
        content_type = reply.headers.get("content-type", "")
        response = from_body(reply.body, request.mode, content_type=content_type)
    except (ReplyMalformed, ReplyUnusable) as error:
        # Unchained: the cause holds the whole reply, and may hold an echoed key.
        told = type(error)(f"{model}: {to_excerpt(str(error), secrets, prompts)}")
        told.usage = error.usage
        raise told from None
    return response, read_quota(reply.headers)


def secret_words(api_key: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return what must not be printed, longest first, so that no part of one survives."""
    words = {api_key}
    for value in headers.values():
        words.update((value, value.rpartition(" ")[2]))
    return tuple(
        sorted((word for word in words if len(word) >= _SHORTEST_SECRET), key=len, reverse=True)
    )
