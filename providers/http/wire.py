"""Wire format of OpenAI-compatible endpoints: requests to bytes, bytes to responses."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from ..errors import ReplyMalformed, ReplyUnusable, RequestRejected, SettingsInvalid
from ..types import FinishReason, Mode, Request, Response, TokenLogprob, Usage
from .wire_errors import to_excerpt, to_token

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_length": "length",
    "content_filter": "content_filter",
}
_MOST_TOKENS = 1e12  # of one call; a higher count is a bug, and would use up every budget
_RESERVED = frozenset({"model", "messages", "prompt", "input", "stream"})
_OPEN, _CLOSE = "<think>", "</think>"
_BLANK_LINES = re.compile(r"(?:[^\S\n]*\n)+")


class _Part(msgspec.Struct):
    type: str = "text"
    text: str | None = None
    refusal: str | None = None


class _Message(msgspec.Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    # Any type: some servers put objects here, and the response is worth keeping all the same.
    reasoning_content: Any = None
    reasoning: Any = None


class _ChatChoice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: Any = None  # any type, for the same reason


class _TopLogprob(msgspec.Struct):
    token: str
    logprob: float


class _TokenLogprob(_TopLogprob):
    top_logprobs: list[_TopLogprob] = []


class _Logprobs(msgspec.Struct):
    content: list[_TokenLogprob] = []


class _CompletionChoice(msgspec.Struct):
    text: str | None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | float | None = None
    completion_tokens: int | float | None = None


class _Reply(msgspec.Struct):
    usage: _Usage | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    error: Any = None


class _ChatReply(_Reply):
    choices: list[_ChatChoice] | None = None


class _CompletionReply(_Reply):
    choices: list[_CompletionChoice] | None = None


class _Embedding(msgspec.Struct):
    embedding: list[float]


class _EmbeddingReply(_Reply):
    data: list[_Embedding] | None = None


_ENCODER = msgspec.json.Encoder()
_CHAT = msgspec.json.Decoder(_ChatReply)
_COMPLETION = msgspec.json.Decoder(_CompletionReply)
_EMBEDDING = msgspec.json.Decoder(_EmbeddingReply)
_AnyDecoder = (
    msgspec.json.Decoder[_ChatReply]
    | msgspec.json.Decoder[_CompletionReply]
    | msgspec.json.Decoder[_EmbeddingReply]
)
_DECODERS: dict[Mode, _AnyDecoder] = {
    "chat": _CHAT,
    "completion": _COMPLETION,
    "embedding": _EMBEDDING,
}


def to_body(request: Request, model: str) -> bytes:
    """Return the JSON body of *request* to *model*. Settings that are None are not sent.

    Raises SettingsInvalid when ``sampling.extra`` sets a field that we set, and RequestRejected
    with status 0 for text that UTF-8 cannot encode.
    """
    sampling = request.sampling
    body: dict[str, object] = {"model": model}
    if request.mode == "chat":
        body["messages"] = request.messages
    elif request.mode == "embedding":
        body["input"] = request.messages[0].content
    else:
        body["prompt"] = request.messages[0].content
    if sampling.temperature is not None:
        body["temperature"] = sampling.temperature
    if sampling.top_p is not None:
        body["top_p"] = sampling.top_p
    if sampling.max_tokens is not None:
        body[sampling.max_tokens_field] = sampling.max_tokens
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.stop:
        body["stop"] = sampling.stop
    if sampling.extra != "{}":
        body.update(_parse_extra(sampling.extra, body))
    try:
        return _ENCODER.encode(body)
    except UnicodeEncodeError as error:
        raise RequestRejected(
            "the request holds a lone surrogate, which cannot be sent as UTF-8", status=0
        ) from error


def _parse_extra(text: str, body: Mapping[str, object]) -> dict[str, object]:
    try:
        extra = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise SettingsInvalid("sampling.extra must be a JSON object") from error
    for name in sorted(extra):
        if name in _RESERVED or name in body:
            raise SettingsInvalid(f"sampling.extra must not set {name}: it is sent already")
    return extra


def from_body(data: bytes, mode: Mode, *, content_type: str = "") -> Response:
    """Return the response in the body of a successful reply.

    Raises ReplyMalformed when the body breaks the API's contract, and ReplyUnusable when it keeps
    the contract but holds no answer. *content_type* only makes the message clearer.
    """
    reply = _decode(data, mode, content_type)
    try:
        return _read_embedding(reply) if isinstance(reply, _EmbeddingReply) else _read_text(reply)
    except (ReplyMalformed, ReplyUnusable) as error:
        error.usage = _to_usage(reply.usage)
        raise


def _read_text(reply: _ChatReply | _CompletionReply) -> Response:
    if not reply.choices:
        if reply.error is not None:
            raise ReplyMalformed(f"the reply is an error of type {_error_type(reply.error)}")
        raise ReplyMalformed("the reply has no choices")
    choice = reply.choices[0]
    finish = _FINISH.get(choice.finish_reason or "", "other")
    logprobs: tuple[TokenLogprob, ...] = ()
    if isinstance(choice, _ChatChoice):
        content, refusal, reasoning = _read_message(choice.message)
        if choice.logprobs is not None:
            logprobs = _read_logprobs(choice.logprobs)
    else:
        content, refusal, reasoning = choice.text, "", ""
    if content is None:
        if not refusal and not reasoning and finish not in ("length", "content_filter"):
            named = to_token(choice.finish_reason) or "missing"
            raise ReplyUnusable(f"the reply has no content (finish_reason {named})")
        content = ""
    thought, text = split_reasoning(content)
    return Response(
        text=text,
        finish=finish,
        refusal=refusal,
        reasoning="\n".join(part for part in (reasoning, thought) if part),
        usage=_to_usage(reply.usage),
        model=reply.model or "",
        fingerprint=reply.system_fingerprint or "",
        logprobs=logprobs,
    )


def _read_embedding(reply: _EmbeddingReply) -> Response:
    if not reply.data or not reply.data[0].embedding:
        raise ReplyMalformed("the reply has no embedding")
    return Response(
        text=_ENCODER.encode(reply.data[0].embedding).decode(),
        usage=_to_usage(reply.usage),
        model=reply.model or "",
        fingerprint=reply.system_fingerprint or "",
    )


def _read_logprobs(given: object) -> tuple[TokenLogprob, ...]:
    """Return the log probabilities of a reply; none if they have an unknown shape."""
    try:
        found = msgspec.convert(given, _Logprobs)
    except msgspec.ValidationError:
        return ()
    return tuple(
        TokenLogprob(
            token=token.token,
            logprob=token.logprob,
            alternatives=tuple((other.token, other.logprob) for other in token.top_logprobs),
        )
        for token in found.content
    )


def split_reasoning(text: str) -> tuple[str, str]:
    """Return a leading ``<think>`` block, and the text after it.

    Some chat templates open the block in the prompt, so the text only closes it. If a block is not
    closed, the whole text is reasoning.
    """
    start = text.lstrip()
    opened = start.startswith(_OPEN)
    if not opened and _CLOSE not in text:
        return "", text
    thought, closed, rest = start.removeprefix(_OPEN).partition(_CLOSE)
    if not opened and _OPEN in thought:
        return "", text
    if not closed:
        return thought.strip(), ""
    blank = _BLANK_LINES.match(rest)
    return thought.strip(), rest[blank.end() :] if blank else rest


def _decode(
    data: bytes, mode: Mode, content_type: str
) -> _ChatReply | _CompletionReply | _EmbeddingReply:
    decoder = _DECODERS[mode]
    try:
        try:
            return decoder.decode(data)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError):
            return decoder.decode(_mend(data))
    except msgspec.ValidationError as error:
        raise ReplyMalformed(f"the reply is JSON of another shape: {error}") from error
    except RecursionError as error:
        raise ReplyMalformed("the reply is JSON of another shape: nested too deeply") from error
    except ValueError as error:
        named = to_excerpt(content_type) or "missing"
        raise ReplyMalformed(f"the reply is not JSON (content type: {named})") from error


def _mend(data: bytes) -> bytes:
    """Return *data* with invalid Unicode replaced by U+FFFD, and NaN and infinities by null.

    A response that is cut inside an emoji ends in half a surrogate pair or half a UTF-8 sequence.
    Some servers write NaN or -Infinity as log probabilities. msgspec rejects both, but the response
    was paid for and can be read.
    """
    found = json.loads(data.decode("utf-8-sig", "replace"), parse_constant=lambda _: None)
    text = json.dumps(found, ensure_ascii=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _read_message(message: _Message) -> tuple[str | None, str, str]:
    content, refusal = message.content, message.refusal or ""
    if isinstance(content, list):
        texts = [part.text for part in content if part.type == "text" and part.text is not None]
        refusal = refusal or "".join(part.refusal or "" for part in content)
        content = "".join(texts) if texts else None
    reasoning = message.reasoning_content or message.reasoning
    return content, refusal, reasoning.strip() if isinstance(reasoning, str) else ""


def _to_usage(usage: _Usage | None) -> Usage | None:
    """Return *usage*, or None where it counts nothing or the counts are impossible."""
    if usage is None or (usage.prompt_tokens is None and usage.completion_tokens is None):
        return None
    sent, got = usage.prompt_tokens or 0, usage.completion_tokens or 0
    if not (0 <= sent <= _MOST_TOKENS and 0 <= got <= _MOST_TOKENS):
        return None
    return Usage(input_tokens=int(sent), output_tokens=int(got))


def _error_type(error: object) -> str:
    named = error.get("type") or error.get("code") if isinstance(error, dict) else None
    return to_token(named) or "unknown"
