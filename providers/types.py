"""What goes to a model and what comes back: the values that every layer shares."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

MessageRole = Literal["system", "user", "assistant"]
Mode = Literal["chat", "completion", "embedding"]
FinishReason = Literal["stop", "length", "content_filter", "other"]


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of a conversation; the text is sent and hashed as it is."""

    role: MessageRole
    content: str


class Sampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sampling settings as they go over the wire; what is None is not sent.

    Raises TypeError or ValueError for values that would encode to two keys (an int for a float)
    or that no endpoint can take.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    seed: int | None = None
    stop: tuple[str, ...] = ()
    extra: str = "{}"  # further body fields, one canonical JSON object: a dict could still change

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

    In the modes "completion" and "embedding" there is exactly one message, and its content is the
    whole prompt, or the text to embed.
    """

    identity: str  # provider kind, model, declared revision: resolved once, when the plan is made
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
    """Tokens as the endpoint counted them."""

    input_tokens: int = 0
    output_tokens: int = 0


class TokenLogprob(msgspec.Struct, frozen=True, kw_only=True):
    """One token of an answer with its log probability, and the likeliest tokens in its place."""

    token: str
    logprob: float
    alternatives: tuple[tuple[str, float], ...] = ()


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One complete reply.

    *text* is what a user would read, or an embedding's numbers as a JSON array; a leading
    ``<think>`` block or a reasoning field goes to *reasoning*. *refusal* is the endpoint's own
    refusal to serve, never a model's polite "no".
    """

    text: str
    finish: FinishReason = "stop"
    refusal: str = ""
    reasoning: str = ""
    usage: Usage | None = None
    model: str = ""  # the id that the endpoint says answered
    fingerprint: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()  # of *text*, where they were asked for and given
    endpoint: str = ""  # the user's name of the one that answered, where a model has several


NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
