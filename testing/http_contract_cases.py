"""Cases of the HTTP contract: what the hostile endpoint is asked, and what must come of it.

It needs pytest. Authors of adapters use http_contract.py.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from ..providers.base import Adapter, OpenAdapter
from ..providers.errors import ProviderError
from ..providers.http.exchange import BODY_LIMIT
from ..providers.settings import ModelSettings
from ..providers.types import Request, Response, Usage
from .adapter_contract import KEY, SLOTS, AdapterContract, ask
from .hostile_endpoint import HostileEndpoint, serve_hostile

HI = Response(
    text="hi",
    usage=Usage(input_tokens=3, output_tokens=1),
    model="served-model",
    fingerprint="fp_1",
)

ANSWERS: Mapping[str, Response] = {
    "ok": HI,
    "unicode": replace(HI, text="通义千问 \U0001f600 \u202e \x00 é"),
    "lone-surrogate": replace(HI, text="half \ufffd of it"),
    "invalid-utf8": replace(HI, text="h\ufffd"),
    "length": replace(HI, text="cut off", finish="length"),
    "filtered": replace(HI, text="", finish="content_filter"),
    "odd-finish": replace(HI, finish="other"),
    "null-finish": replace(HI, finish="other"),
    "refusal": replace(HI, text="", refusal="I cannot serve that"),
    "null-length": replace(HI, text="", finish="length"),
    "null-filtered": replace(HI, text="", finish="content_filter"),
    "null-reasoning": replace(HI, text="", reasoning="hm"),
    "reasoning": replace(HI, reasoning="hm"),
    "think": replace(HI, reasoning="hm"),
    "think-unopened": replace(HI, reasoning="hm"),
    "think-unclosed": replace(HI, text="", reasoning="hm", finish="length"),
    "list": HI,
    "no-usage": replace(HI, usage=None),
    "null-usage": replace(HI, usage=None),
    "html-type": HI,
    "no-type": HI,
    "open-body": HI,
}

DENIED = ("status-401", "status-402", "status-403", "status-404")
REJECTED = ("status-400", "status-409", "status-413", "status-422")
FAILED = ("status-500", "status-502", "status-503", "status-529")
REDIRECTED = ("status-301", "status-302", "redirect")
LIMITED: Mapping[str, float | None] = {
    "limited": None,
    "limited-again": 0.0,
    "limited-ms": 1.5,
    "limited-s": 7.0,
}
MALFORMED: Mapping[str, str] = {
    "empty-choices": "the reply has no choices",
    "no-choices": "the reply has no choices",
    "error-in-200": "the reply is an error of type server_error",
    "not-json": "the reply is not JSON (content type: application/json)",
    "empty-body": "the reply is not JSON (content type: application/json)",
    "html": "the reply is not JSON (content type: text/html; charset=utf-8)",
    "leak-type": "the reply is not JSON (content type: text/[key])",
    # A body that ends where the connection does cannot be told from one that was cut.
    "cut-in-open-body": "the reply is not JSON (content type: missing)",
    "array": "the reply is JSON of another shape: Expected `object`, got `array`",
    "wrong-shape": "the reply is JSON of another shape: Expected `str | array | null`, "
    "got `int` - at `$.choices[0].message.content`",
}
UNUSABLE: Mapping[str, str] = {
    "null-stop": "the reply has no content (finish_reason stop)",
    "big": f"the reply is larger than {BODY_LIMIT} bytes",
    "big-chunked": f"the reply is larger than {BODY_LIMIT} bytes",
    "bomb": f"the reply is larger than {BODY_LIMIT} bytes",
}
CUT: Mapping[str, str] = {
    "cut-before-head": "connection failed: Server disconnected",
    "cut-in-head": "connection failed: Server disconnected",
    "cut-in-body": "connection failed: Response payload is not completed",
    "cut-in-chunks": "connection failed: Response payload is not completed",
    "bad-gzip": "connection failed: the body does not match its headers",
    "not-http": "no proper HTTP reply: Bad status line",
    "short-length": "no proper HTTP reply: Bad status line",
}


class HostileCases(AdapterContract):
    """An adapter and a hostile endpoint, and the ways to make them meet."""

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[HostileEndpoint]:
        """A hostile endpoint for all tests of the class."""
        with serve_hostile() as endpoint:
            yield endpoint

    @pytest.fixture
    def settings(self, server: HostileEndpoint) -> ModelSettings:
        """The settings of a model that answers."""
        return self.make_settings(server.url, "ok", timeout_s=20.0)

    def make_settings(self, url: str, model: str, *, timeout_s: float) -> ModelSettings:
        """Return the settings of *model* at *url*; override it for an adapter with options."""
        return ModelSettings(provider="http", model=model, base_url=url, timeout_s=timeout_s)

    def check_message(self, error: ProviderError, sentence: str) -> None:
        """Check the message of *error*, for which Hydrometer's own adapters write *sentence*.

        Others may use other words, but must begin with the same model or setting, on one line.
        """
        said = str(error)
        assert said.startswith(sentence.split(" ", 1)[0].rstrip(":"))
        assert "\n" not in said

    @asynccontextmanager
    async def opened(
        self,
        adapter: OpenAdapter,
        url: str,
        model: str,
        *,
        timeout_s: float = 20.0,
        api_key: str = KEY,
    ) -> AsyncIterator[Adapter]:
        """Open the adapter of *model* at *url*."""
        settings = self.make_settings(url, model, timeout_s=timeout_s)
        headers = {"X-Team": "audit"}
        async with adapter(settings, slots=SLOTS, api_key=api_key, headers=headers) as opened:
            yield opened

    async def failure(
        self, adapter: OpenAdapter, url: str, model: str, *, timeout_s: float = 20.0
    ) -> ProviderError:
        """Return the error of one call, which must not hold the key."""
        with pytest.raises(ProviderError) as caught:
            async with self.opened(adapter, url, model, timeout_s=timeout_s) as opened:
                await opened.send(ask())
        assert KEY not in f"{caught.value!r} {vars(caught.value)}"
        return caught.value

    async def heard(
        self, adapter: OpenAdapter, server: HostileEndpoint, request: Request, api_key: str = KEY
    ) -> dict[str, Any]:
        """Return path, headers and body of *request* as the endpoint received it."""
        async with self.opened(adapter, server.url, "echo", api_key=api_key) as opened:
            response = (await opened.send(request)).response
        told: dict[str, Any] = json.loads(response.text)
        return told
