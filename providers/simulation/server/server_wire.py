"""Server side of the wire format of OpenAI-compatible endpoints."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec

from ...errors import RequestRejected
from ...types import Message, MessageRole, Request, Response, Usage

_Positive = Annotated[int, msgspec.Meta(ge=1)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]


class ReceivedCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call as it arrived. Its request has draw 0, because draws are not sent."""

    model: str
    request: Request


class _ReceivedPart(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["text"]
    text: str


class _ReceivedTurn(msgspec.Struct, frozen=True, kw_only=True):
    role: MessageRole
    content: str | tuple[_ReceivedPart, ...]


class _Options(msgspec.Struct, frozen=True, kw_only=True):
    """Fields that any call may have; unknown fields are ignored."""

    model: _Text
    temperature: Annotated[float, msgspec.Meta(ge=0.0, le=2.0)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] | None = None
    max_tokens: _Positive | None = None
    max_completion_tokens: _Positive | None = None
    n: Literal[1] | None = None
    stream: bool | None = None


class _ChatCall(_Options, frozen=True, kw_only=True):
    messages: Annotated[tuple[_ReceivedTurn, ...], msgspec.Meta(min_length=1)]


class _CompletionCall(_Options, frozen=True, kw_only=True):
    prompt: str


class _ReplyMessage(msgspec.Struct, frozen=True, kw_only=True):
    role: str = "assistant"
    content: str


class _SentChatChoice(msgspec.Struct, frozen=True, kw_only=True):
    index: int = 0
    message: _ReplyMessage
    finish_reason: str


class _SentCompletionChoice(msgspec.Struct, frozen=True, kw_only=True):
    index: int = 0
    text: str
    finish_reason: str


class _SentUsage(msgspec.Struct, frozen=True, kw_only=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class _SentReply(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    object: str
    created: int = 0  # constant, so that equal calls get equal bodies
    model: str
    system_fingerprint: str | msgspec.UnsetType = msgspec.UNSET
    choices: tuple[_SentChatChoice | _SentCompletionChoice, ...]
    usage: _SentUsage


_WireCall = TypeVar("_WireCall", bound=_Options)

_CHAT = msgspec.json.Decoder(_ChatCall)
_COMPLETION = msgspec.json.Decoder(_CompletionCall)


def read_chat(body: bytes) -> ReceivedCall:
    """Return the call in the body of a POST to /v1/chat/completions."""
    wire = _read(_CHAT, body)
    messages = tuple(Message(role=turn.role, content=_text(turn)) for turn in wire.messages)
    return ReceivedCall(model=wire.model, request=Request(identity="", messages=messages))


def read_completion(body: bytes) -> ReceivedCall:
    """Return the call in the body of a POST to /v1/completions."""
    wire = _read(_COMPLETION, body)
    messages = (Message(role="user", content=wire.prompt),)
    request = Request(identity="", mode="completion", messages=messages)
    return ReceivedCall(model=wire.model, request=request)


def write_reply(
    call: ReceivedCall,
    response: Response,
    number: int,
    *,
    model_id: str = "",
    fingerprint: str = "",
) -> bytes:
    """Return the body with *response*. *model_id* replaces the model's name, if given."""
    chat = call.request.mode == "chat"
    choice: _SentChatChoice | _SentCompletionChoice
    if chat:
        message = _ReplyMessage(content=response.text)
        choice = _SentChatChoice(message=message, finish_reason=response.finish)
    else:
        choice = _SentCompletionChoice(text=response.text, finish_reason=response.finish)
    used = response.usage or Usage()
    reply = _SentReply(
        id=f"sim-{number}",
        object="chat.completion" if chat else "text_completion",
        model=model_id or response.model,
        system_fingerprint=fingerprint or msgspec.UNSET,
        choices=(choice,),
        usage=_SentUsage(
            prompt_tokens=used.input_tokens,
            completion_tokens=used.output_tokens,
            total_tokens=used.input_tokens + used.output_tokens,
        ),
    )
    return msgspec.json.encode(reply)


def write_error(message: str, kind: str, code: str | None = None) -> bytes:
    """Return the body of an error reply."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return msgspec.json.encode({"error": error})


def write_models(names: tuple[str, ...]) -> bytes:
    """Return the body of a list of models with *names*."""
    data = [{"id": name, "object": "model", "created": 0, "owned_by": "simulab"} for name in names]
    return msgspec.json.encode({"object": "list", "data": data})


def _read(decoder: msgspec.json.Decoder[_WireCall], body: bytes) -> _WireCall:
    try:
        call = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestRejected(str(error), status=400) from error
    if call.stream:
        raise RequestRejected("stream must be false: whole replies only", status=400)
    return call


def _text(turn: _ReceivedTurn) -> str:
    if isinstance(turn.content, str):
        return turn.content
    return "".join(part.text for part in turn.content)
