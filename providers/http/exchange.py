"""HTTP reply as a value, and its conversion to an adapter's reply or error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ..base import AdapterReply
from ..errors import ReplyMalformed, ReplyUnusable
from ..quota import read_quota
from ..types import Request
from .wire import from_body
from .wire_errors import error_from, to_excerpt

BODY_LIMIT = 8 * 1024 * 1024
_ERROR_BODY_LIMIT = 64 * 1024
_SHORTEST_SECRET = 4  # local servers use keys like "x", and masking that would garble messages


class HttpReply(msgspec.Struct, frozen=True, kw_only=True):
    """A reply as it arrived. A body over its limit was cut, but to more than the limit."""

    status: int
    headers: Mapping[str, str]  # case-insensitive
    body: bytes


def is_success(status: int) -> bool:
    """Return whether *status* means that the body is a response."""
    return 200 <= status < 300


def body_limit(status: int) -> int:
    """Return how many bytes of the body to read from a reply with *status*."""
    return BODY_LIMIT if is_success(status) else _ERROR_BODY_LIMIT


def read_reply(
    reply: HttpReply, request: Request, *, model: str, now: float, secrets: Sequence[str] = ()
) -> AdapterReply:
    """Return the response and quota in *reply*, or raise the ProviderError that it stands for.

    *now* is Unix time. Errors repeat none of *secrets*, and no part of *request*'s messages.
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
        # Unchained: the cause holds the whole reply, which may repeat a key.
        masked = type(error)(f"{model}: {to_excerpt(str(error), secrets, prompts)}")
        masked.usage = error.usage
        raise masked from None
    return AdapterReply(response=response, quota=read_quota(reply.headers))


def secret_words(api_key: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the words to mask, longest first, so that no part of a longer one is left."""
    words = {api_key}
    for value in headers.values():
        words.update((value, value.rpartition(" ")[2]))
    return tuple(
        sorted((word for word in words if len(word) >= _SHORTEST_SECRET), key=len, reverse=True)
    )
