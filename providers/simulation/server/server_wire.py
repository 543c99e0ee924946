"""How a simulated endpoint reads and writes the wire of OpenAI-compatible endpoints."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec

from ...errors import RequestRejected
from ...types import Message, MessageRole, Request, Response, Usage

_Positive = Annotated[int, msgspec.Meta(ge=1)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]


class ReceivedCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call as it arrived; its request has draw 0, for draws do not travel."""

    model: str
    request: Request


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["text"]
    text: str


class _Turn(msgspec.Struct, frozen=True, kw_only=True):
    role: MessageRole
    content: str | tuple[_Part, ...]


class _Options(msgspec.Struct, frozen=True, kw_only=True):
    """What every call may carry; fields that nobody here knows are ignored."""

    model: _Text
    temperature: Annotated[float, msgspec.Meta(ge=0.0, le=2.0)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] | None = None
    max_tokens: _Positive | None = None
    max_completion_tokens: _Positive | None = None
    n: Literal[1] | None = None
    stream: bool | None = None


class _ChatCall(_Options, frozen=True, kw_only=True):
    messages: Annotated[tuple[_Turn, ...], msgspec.Meta(min_length=1)]


class _CompletionCall(_Options, frozen=True, kw_only=True):
    prompt: str


class _ReplyMessage(msgspec.Struct, frozen=True, kw_only=True):
    role: str = "assistant"
    content: str


class _ChatChoice(msgspec.Struct, frozen=True, kw_only=True):
    index: int = 0
    message: _ReplyMessage
    finish_reason: str


class _CompletionChoice(msgspec.Struct, frozen=True, kw_only=True):
    index: int = 0
    text: str
    finish_reason: str


class _Usage(msgspec.Struct, frozen=True, kw_only=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class _Reply(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    object: str
    created: int = 0  # answers know no time
    model: str
    system_fingerprint: str | msgspec.UnsetType = msgspec.UNSET
    choices: tuple[_ChatChoice | _CompletionChoice, ...]
    usage: _Usage


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
    """Return the body that carries *response*; *model_id* is what it calls the model, if given."""
    chat = call.request.mode == "chat"
    choice: _ChatChoice | _CompletionChoice
    if chat:
        message = _ReplyMessage(content=response.text)
        choice = _ChatChoice(message=message, finish_reason=response.finish)
    else:
        choice = _CompletionChoice(text=response.text, finish_reason=response.finish)
    used = response.usage or Usage()
    reply = _Reply(
        id=f"sim-{number}",
        object="chat.completion" if chat else "text_completion",
        model=model_id or response.model,
        system_fingerprint=fingerprint or msgspec.UNSET,
        choices=(choice,),
        usage=_Usage(
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
    """Return the body that lists *names*."""
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


def _text(turn: _Turn) -> str:
    if isinstance(turn.content, str):
        return turn.content
    return "".join(part.text for part in turn.content)
