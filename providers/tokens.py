"""Token estimates: for requests not yet sent, and for replies whose endpoint counts nothing."""

from __future__ import annotations

import math

from .errors import (
    AccessDenied,
    ConnectionFailed,
    RateLimited,
    ReplyMalformed,
    ReplyUnusable,
    RequestRejected,
    ServiceFailed,
    SettingsInvalid,
)
from .types import Request, Response, Usage

_CHARACTERS_PER_TOKEN = 3.5
_UNKNOWN_OUTPUT_TOKENS = 512
_NO_USAGE = Usage()


def estimate_need(request: Request) -> Usage:
    """Return an estimate of what *request* will use with the longest response that it allows."""
    prompt = sum(len(message.content) for message in request.messages)
    return Usage(
        input_tokens=_to_tokens(prompt),
        output_tokens=request.sampling.max_tokens or _UNKNOWN_OUTPUT_TOKENS,
    )


def estimate_usage(request: Request, response: Response) -> Usage:
    """Estimate the tokens of a call whose endpoint reported no usage."""
    prompt = sum(len(message.content) for message in request.messages)
    return Usage(
        input_tokens=_to_tokens(prompt),
        output_tokens=_to_tokens(len(response.text) + len(response.reasoning)),
    )


def estimate_charge(request: Request, error: BaseException) -> Usage:
    """Return an estimate of what an attempt that ended in *error* is charged.

    A malformed or unusable reply was generated all the same, and so perhaps was a reply that never
    arrived. Where the reply reports no usage, the estimate is that of the whole request. Endpoints
    charge nothing for an error status, nor for a request that was not sent.
    """
    if isinstance(error, ReplyMalformed | ReplyUnusable) and error.usage is not None:
        return error.usage
    unsent = isinstance(error, ConnectionFailed) and not error.sent
    free = isinstance(
        error, RateLimited | ServiceFailed | RequestRejected | AccessDenied | SettingsInvalid
    )
    return _NO_USAGE if unsent or free else estimate_need(request)


def _to_tokens(characters: int) -> int:
    return math.ceil(characters / _CHARACTERS_PER_TOKEN)
