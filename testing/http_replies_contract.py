"""HTTP contract, first part: what an adapter makes of requests, replies and statuses.

It needs pytest. Authors of adapters use http_contract.py.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ..providers.base import OpenAdapter
from ..providers.errors import (
    AccessDenied,
    RateLimited,
    ReplyMalformed,
    ReplyUnusable,
    RequestRejected,
    ServiceFailed,
    TimedOut,
)
from ..providers.types import Sampling
from .adapter_contract import KEY, PROMPT, ask
from .hostile_endpoint import HostileEndpoint
from .http_contract_cases import (
    ANSWERS,
    DENIED,
    FAILED,
    HI,
    LIMITED,
    MALFORMED,
    REJECTED,
    UNUSABLE,
    HostileCases,
)


class HttpRepliesContract(HostileCases):
    """What an OpenAI-compatible adapter sends, and how it reads what comes back."""

    @pytest.mark.parametrize("model", sorted(ANSWERS))
    async def test_answer_is_read(
        self, server: HostileEndpoint, adapter: OpenAdapter, model: str
    ) -> None:
        async with self.opened(adapter, server.url, model) as provider:
            response = (await provider.send(ask())).response

        assert response == ANSWERS[model]

    async def test_completion_mode_sends_a_prompt_and_reads_its_text(
        self, server: HostileEndpoint, adapter: OpenAdapter
    ) -> None:
        async with self.opened(adapter, server.url, "completion") as provider:
            response = (await provider.send(ask(mode="completion"))).response

        assert response == replace(HI, text=" hi", fingerprint="")

    async def test_request_is_sent_as_it_is(
        self, server: HostileEndpoint, adapter: OpenAdapter
    ) -> None:
        told = await self.heard(adapter, server, ask())

        assert told["path"] == "/v1/chat/completions"
        assert told["body"] == {
            "model": "echo",
            "messages": [{"role": "user", "content": PROMPT}],
            "temperature": 0.0,
            "max_tokens": 64,
        }
        assert told["headers"]["authorization"] == f"Bearer {KEY}"
        assert told["headers"]["x-team"] == "audit"
        assert told["headers"]["content-type"] == "application/json"

    async def test_completion_request_goes_to_its_own_path(
        self, server: HostileEndpoint, adapter: OpenAdapter
    ) -> None:
        request = ask(mode="completion", sampling=Sampling(stop=("\n",)))

        # The echo answers in the form of a chat, so the request is read from what the reply lacks.
        async with self.opened(adapter, server.url, "echo") as provider:
            with pytest.raises(ReplyMalformed, match="missing required field `text`"):
                await provider.send(request)

    async def test_no_authorization_is_sent_without_a_key(
        self, server: HostileEndpoint, adapter: OpenAdapter
    ) -> None:
        told = await self.heard(adapter, server, ask(), api_key="")

        assert "authorization" not in told["headers"]

    @pytest.mark.parametrize("model", DENIED)
    async def test_access_is_denied(
        self, server: HostileEndpoint, adapter: OpenAdapter, model: str
    ) -> None:
        error = await self.failure(adapter, server.url, model)

        status = int(model[-3:])
        assert isinstance(error, AccessDenied)
        assert error.status == status
        self.check_message(error, f"{model} answered {status}: told to. say {status}")

    @pytest.mark.parametrize("model", REJECTED)
    async def test_request_is_rejected(
        self, server: HostileEndpoint, adapter: OpenAdapter, model: str
    ) -> None:
        error = await self.failure(adapter, server.url, model)

        status = int(model[-3:])
        assert isinstance(error, RequestRejected)
        assert (error.status, error.code) == (status, "told_to")
        self.check_message(error, f"{model} answered {status}: told to. say {status}")

    @pytest.mark.parametrize("model", FAILED)
    async def test_service_fails(
        self, server: HostileEndpoint, adapter: OpenAdapter, model: str
    ) -> None:
        error = await self.failure(adapter, server.url, model)

        status = int(model[-3:])
        assert isinstance(error, ServiceFailed)
        assert (error.status, error.retry_after_s) == (status, None)
        self.check_message(error, f"{model} answered {status}: told to. say {status}")

    @pytest.mark.parametrize("model", sorted(LIMITED))
    async def test_rate_limit_says_how_long_to_wait(
        self, server: HostileEndpoint, adapter: OpenAdapter, model: str
    ) -> None:
        error = await self.failure(adapter, server.url, model)

        assert isinstance(error, RateLimited)
        assert error.retry_after_s == LIMITED[model]
        self.check_message(error, f"{model} answered 429")

    async def test_rate_limit_can_name_a_date(
        self, server: HostileEndpoint, adapter: OpenAdapter
    ) -> None:
        error = await self.failure(adapter, server.url, "limited-date")

        assert isinstance(error, RateLimited)
        assert error.retry_after_s is not None
        assert 20.0 < error.retry_after_s <= 40.0

    async def test_request_timeout_of_the_server_is_a_timeout(
        self, server: HostileEndpoint, adapter: OpenAdapter
    ) -> None:
        error = await self.failure(adapter, server.url, "status-408")

        assert isinstance(error, TimedOut)
        self.check_message(error, "status-408 answered 408: told to. say 408")

    @pytest.mark.parametrize("model", ["status-408", "status-409", "status-500", "limited-again"])
    async def test_call_that_fails_is_sent_once(
        self, server: HostileEndpoint, adapter: OpenAdapter, model: str
    ) -> None:
        before = server.calls(model)

        await self.failure(adapter, server.url, model)

        assert server.calls(model) == before + 1

    @pytest.mark.parametrize("model", sorted(MALFORMED))
    async def test_reply_is_malformed(
        self, server: HostileEndpoint, adapter: OpenAdapter, model: str
    ) -> None:
        error = await self.failure(adapter, server.url, model)

        assert isinstance(error, ReplyMalformed)
        self.check_message(error, f"{model}: {MALFORMED[model]}")

    @pytest.mark.parametrize("model", sorted(UNUSABLE))
    async def test_reply_is_unusable(
        self, server: HostileEndpoint, adapter: OpenAdapter, model: str
    ) -> None:
        error = await self.failure(adapter, server.url, model)

        assert isinstance(error, ReplyUnusable)
        self.check_message(error, f"{model}: {UNUSABLE[model]}")

    async def test_key_that_the_endpoint_repeats_is_masked(
        self, server: HostileEndpoint, adapter: OpenAdapter
    ) -> None:
        error = await self.failure(adapter, server.url, "leak")

        self.check_message(
            error, ("leak answered 401: Incorrect API key provided: [key] as in Bearer [key]")
        )
