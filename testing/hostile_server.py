"""An OpenAI-compatible endpoint that does to its client what the request's model name says.

It runs in a process of its own, so that nothing it holds counts as the client's, and writes raw
bytes, because a proper server library would not let it lie. When it is ready it prints its port.
What the address that it redirects to has been sent is told at /recorded, and how often each
model was called at /counted.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate

TEN_MIB = 10 * 1024 * 1024
BOMB_BYTES = 64 * 1024 * 1024

PAIR = asyncio.Barrier(2)

Exchange = Callable[["HostileCall"], Awaitable[None]]


class HostileCall:
    """One request as it came in, and the way back."""

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        path: str,
        headers: dict[str, str],
        body: bytes,
        redirect_port: int,
    ) -> None:
        self.writer = writer
        self.path = path
        self.headers = headers
        self.body = body
        self.redirect_port = redirect_port

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


def head(status: str = "200 OK", **headers: str | int) -> bytes:
    lines = [f"HTTP/1.1 {status}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def whole(body: bytes, status: str = "200 OK", **headers: str | int) -> bytes:
    usual: dict[str, str | int] = {
        "content_type": "application/json",
        "content_length": len(body),
    }
    return head(status, **(usual | headers)) + body


def chat(
    content: object = "hi", finish_reason: str | None = "stop", **message: object
) -> dict[str, object]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "served-model",
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content} | message,
                "finish_reason": finish_reason,
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    }


def without_usage() -> dict[str, object]:
    reply = chat()
    del reply["usage"]
    return reply


BODIES: Mapping[str, bytes] = {
    name: json.dumps(reply).encode()
    for name, reply in {
        "ok": chat(),
        "unicode": chat("通义千问 \U0001f600 \u202e \x00 é"),
        "lone-surrogate": chat("half \ud83d of it"),
        "length": chat("cut off", "length"),
        "filtered": chat("", "content_filter"),
        "odd-finish": chat("hi", "tool_calls"),
        "null-finish": chat("hi", None),
        "refusal": chat(None, refusal="I cannot serve that"),
        "null-stop": chat(None),
        "null-length": chat(None, "length"),
        "null-filtered": chat(None, "content_filter"),
        "null-reasoning": chat(None, reasoning_content="hm"),
        "reasoning": chat("hi", reasoning="hm"),
        "think": chat("<think>\nhm\n</think>\n\nhi"),
        "think-unopened": chat("hm\n</think>\n\nhi"),
        "think-unclosed": chat("<think>hm", "length"),
        "list": chat([{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]),
        "no-usage": without_usage(),
        "null-usage": chat() | {"usage": None},
        "empty-choices": chat() | {"choices": []},
        "no-choices": {"id": "chatcmpl-1"},
        "error-in-200": {"error": {"message": "secret prompt text", "type": "server_error"}},
        "array": [1, 2],
        "wrong-shape": chat() | {"choices": [{"message": {"content": 7}}]},
        "completion": {
            "model": "served-model",
            "choices": [{"index": 0, "text": " hi", "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1},
        },
    }.items()
}

OK = BODIES["ok"]

RAW: Mapping[str, bytes] = {
    "not-json": whole(b"{'no': json}"),
    "empty-body": whole(b""),
    "invalid-utf8": whole(OK.replace(b'"hi"', b'"h\xff"')),
    "html": whole(b"<html>504</html>", content_type="text/html; charset=utf-8"),
    "html-type": whole(OK, content_type="text/html"),
    "no-type": head(content_length=len(OK)) + OK,
    "not-http": b"SMTP ready\r\n\r\n",
    "cut-before-head": b"",
    "cut-in-head": b"HTTP/1.1 200 OK\r\ncontent-ty",
    "cut-in-body": head(content_length=len(OK)) + OK[:40],
    "cut-in-chunks": head(transfer_encoding="chunked") + b"28\r\n" + OK[:40] + b"\r\n",
    "cut-in-open-body": head(connection="close") + OK[:40],
    "open-body": head(connection="close") + OK,
    "short-length": head(content_length=40) + OK,
    "bad-gzip": whole(b"not gzip at all", content_encoding="gzip"),
}

RETRY_AFTER: Mapping[str, Callable[[], dict[str, str]]] = {
    "limited": dict,
    "limited-s": lambda: {"retry_after": "7"},
    "limited-again": lambda: {"retry_after": "0", "x_should_retry": "true"},
    "limited-ms": lambda: {"retry_after": "9", "retry_after_ms": "1500"},
    "limited-date": lambda: {"retry_after": formatdate(time.time() + 40, usegmt=True)},
}


async def redirect(call: HostileCall) -> None:
    location = f"http://127.0.0.1:{call.redirect_port}{call.path}"
    await call.send(whole(b"", "307 Temporary Redirect", location=location))


async def echo(call: HostileCall) -> None:
    """Answer with the request itself."""
    heard = {"path": call.path, "headers": call.headers, "body": json.loads(call.body)}
    await call.send(whole(json.dumps(chat(json.dumps(heard))).encode(), set_cookie="a=b"))


async def leak(call: HostileCall) -> None:
    """Refuse the key and repeat it wherever an error has room."""
    key = call.headers["authorization"].removeprefix("Bearer ")
    error = {"message": f"Incorrect API key provided: {key}\nas in Bearer {key}", "code": key}
    await call.send(whole(json.dumps({"error": error}).encode(), "401 Unauthorized"))


async def leak_type(call: HostileCall) -> None:
    """Repeat the key in a header of a reply that is no JSON."""
    key = call.headers["authorization"].removeprefix("Bearer ")
    await call.send(whole(b"{", content_type=f"text/{key}"))


async def slow_head(call: HostileCall) -> None:
    await call.writer.wait_closed()


async def slow_body(call: HostileCall) -> None:
    await call.send(head(content_length=len(OK)) + OK[:40])
    await call.writer.wait_closed()


async def pair(call: HostileCall) -> None:
    """Answer two calls when both are here."""
    await PAIR.wait()
    await call.send(whole(OK))


async def late(call: HostileCall) -> None:
    """Answer after long enough to be cancelled meanwhile."""
    await asyncio.sleep(0.3)
    await call.send(whole(OK))


async def big(call: HostileCall) -> None:
    await call.send(whole(b" " * TEN_MIB))


async def big_chunked(call: HostileCall) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    await call.send(head(transfer_encoding="chunked"))
    for _ in range(TEN_MIB // 0x10000):
        await call.send(chunk)
    await call.send(b"0\r\n\r\n")


async def big_error(call: HostileCall) -> None:
    await call.send(whole(b"so sorry " * (TEN_MIB // 9), "500 Oops", content_type="text/plain"))


async def bomb(call: HostileCall) -> None:
    packed = gzip.compress(b" " * BOMB_BYTES, compresslevel=1)
    await call.send(whole(packed, content_encoding="gzip"))


EXCHANGES: Mapping[str, Exchange] = {
    "redirect": redirect,
    "echo": echo,
    "leak": leak,
    "leak-type": leak_type,
    "slow-head": slow_head,
    "slow-body": slow_body,
    "late": late,
    "pair": pair,
    "big": big,
    "big-chunked": big_chunked,
    "big-error": big_error,
    "bomb": bomb,
}


async def misbehave(call: HostileCall, model: str) -> bool:
    """Do what *model* says; return whether the connection stays open."""
    if model.startswith("status-"):
        status = model.removeprefix("status-")
        error = {"message": f"told to.\nsay {status}.", "type": "test", "code": "told_to"}
        await call.send(whole(json.dumps({"error": error}).encode(), f"{status} Told"))
    elif model in RETRY_AFTER:
        await call.send(whole(b"{}", "429 Slow Down", **RETRY_AFTER[model]()))
    elif model in RAW:
        await call.send(RAW[model])
        return False
    elif model in EXCHANGES:
        await EXCHANGES[model](call)
    else:
        await call.send(whole(BODIES[model]))
    return True


async def read_call(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, redirect_port: int
) -> HostileCall:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name:
            headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return HostileCall(writer, lines[0].split(" ")[1], headers, body, redirect_port)


async def main() -> None:
    recorded: list[str] = []
    counted: Counter[str] = Counter()
    redirect_port = 0

    async def record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = await read_call(reader, writer, 0)
        recorded.append(call.path)
        await call.send(whole(OK))
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                call = await read_call(reader, writer, redirect_port)
                if call.path in ("/recorded", "/counted"):
                    told = recorded if call.path == "/recorded" else counted
                    await call.send(whole(json.dumps(told).encode(), connection="close"))
                    break
                model = json.loads(call.body)["model"]
                counted[model] += 1
                if not await misbehave(call, model):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has had enough
        finally:
            writer.close()

    target = await asyncio.start_server(record, "127.0.0.1", 0)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=TEN_MIB)
    redirect_port = target.sockets[0].getsockname()[1]
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with target, server:
        await asyncio.gather(target.serve_forever(), server.serve_forever())


if __name__ == "__main__":
    asyncio.run(main())
