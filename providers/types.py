"""Requests and responses: the values that every layer shares."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

MessageRole = Literal["system", "user", "assistant"]
Mode = Literal["chat", "completion", "embedding"]
FinishReason = Literal["stop", "length", "content_filter", "other"]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of a conversation. The text is sent and hashed unchanged."""

    role: MessageRole
    content: str


class Sampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sampling settings as they are sent; a setting that is None is not sent.

    Raises TypeError or ValueError for values that no endpoint accepts, and for an int in place of a
    float, which would give equal requests two cache keys.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    seed: int | None = None
    stop: tuple[str, ...] = ()
    extra: str = "{}"  # more body fields as canonical JSON (a dict would be mutable)

    def __post_init__(self) -> None:
        for name in ("temperature", "top_p"):
            value = getattr(self, name)
            if value is not None and type(value) is not float:
                raise TypeError(f"{name} must be a float, got {value!r}")
        if self.temperature is not None and not 0.0 <= self.temperature <= 10.0:
            raise ValueError(f"temperature must be between 0 and 10, got {self.temperature}")
        if self.top_p is not None and not 0.0 < self.top_p <= 1.0:
            raise ValueError(f"top_p must be above 0 and at most 1, got {self.top_p}")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {self.max_tokens}")


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can change the response, and nothing else.

    In the modes "completion" and "embedding" there is exactly one message. Its content is the whole
    prompt, or the text to embed.
    """

    identity: str  # provider kind, model, revision: resolved once, when the plan is made
    mode: Mode = "chat"
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    draw: int = 0  # which of several samples of the same prompt

    def __post_init__(self) -> None:
        if not self.messages:
            raise ValueError("a request needs at least one message")
        if self.mode != "chat" and len(self.messages) != 1:
            raise ValueError(f"a {self.mode} request has one message, got {len(self.messages)}")


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens as the endpoint counts them."""

    input_tokens: int = 0
    output_tokens: int = 0


class TokenLogprob(msgspec.Struct, frozen=True, kw_only=True):
    """One token of a response with its log probability, and the most likely alternatives."""

    token: str
    logprob: float
    alternatives: tuple[tuple[str, float], ...] = ()


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One complete reply.

    *text* is what a user would read, or the numbers of an embedding as a JSON array. A leading
    ``<think>`` block or a reasoning field goes to *reasoning*. *refusal* is the endpoint's refusal
    to serve the request; a model that declines politely does so in *text*.
    """

    text: str
    finish: FinishReason = "stop"
    refusal: str = ""
    reasoning: str = ""
    usage: Usage | None = None
    model: str = ""  # the model id that the endpoint reports
    fingerprint: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()  # of *text*, if requested and given
    endpoint: str = ""  # the user's name for the one that answered, if the model has several
