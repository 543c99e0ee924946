"""A loopback endpoint that answers at once, in a process of its own: the same for all contenders.

A target's answer is 1.2 KB; the helper's is a new template each time.
"""

from __future__ import annotations

import itertools

import msgspec
from aiohttp import web

TEXT = "I am an assistant, and I am glad to help with questions of many kinds. " * 14


def reply(text: str) -> bytes:
    """Return a chat completion that says *text*."""
    message = {"role": "assistant", "content": text}
    return msgspec.json.encode(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "model": "bench",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 400, "completion_tokens": 250, "total_tokens": 650},
        }
    )


def main() -> None:
    """Serve until terminated, after printing the port."""
    answer = reply(TEXT)
    numbers = itertools.count()
    padding = "The studio is quiet and the lamp is on. " * 32

    async def complete(request: web.Request) -> web.Response:
        body = await request.read()
        if b'"model":"helper"' in body:
            template = f"Take {next(numbers)}. {padding}\nHost: {{query}}\nGuest:"
            text = reply(f"<template>\n{template}\n</template>")
            return web.Response(body=text, content_type="application/json")
        return web.Response(body=answer, content_type="application/json")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)

    async def announce(_: web.Application) -> None:
        print("ready", flush=True)

    app.on_startup.append(announce)
    web.run_app(
        app, host="127.0.0.1", port=0, access_log=None, print=lambda text: print(text, flush=True)
    )


if __name__ == "__main__":
    main()
