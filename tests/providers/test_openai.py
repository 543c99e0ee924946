"""What only the openai adapter has: Azure, its ways to prove who calls, and a deaf ear."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import httpx2
import openai
import pytest
from msgspec.structs import replace

from hydrometer.providers.errors import (
    AccessDenied,
    ConnectionFailed,
    ProviderError,
    SettingsInvalid,
)
from hydrometer.providers.openai.openai_adapter import OpenAIAdapter, open_openai
from hydrometer.providers.openai.openai_options import WorkloadIdentity
from hydrometer.providers.openai.openai_tokens import workload_token
from hydrometer.providers.settings import ModelSettings
from hydrometer.testing import make_request

pytestmark = pytest.mark.anyio

KEY = "Planted.Key~0123456789"
AZURE: dict[str, Any] = {"azure": True, "api_version": "2024-10-21"}
AMBIENT = {
    "OPENAI_API_KEY": "planted-api-key",
    "OPENAI_ADMIN_KEY": "planted-admin-key",
    "OPENAI_BASE_URL": "http://planted.invalid/v1",
    "OPENAI_ORG_ID": "planted-organization",
    "OPENAI_PROJECT_ID": "planted-project",
    "OPENAI_WEBHOOK_SECRET": "planted-webhook",
    "OPENAI_CUSTOM_HEADERS": "X-Planted: planted\nAuthorization: Bearer planted\nAccept: planted",
    "OPENAI_API_VERSION": "planted-version",
    "OPENAI_API_TYPE": "azure",
    "AZURE_OPENAI_API_KEY": "planted-azure-key",
    "AZURE_OPENAI_AD_TOKEN": "planted-azure-token",
    "AZURE_OPENAI_ENDPOINT": "http://planted-azure.invalid",
}


def openai_model(url: str, model: str = "echo", **options: Any) -> ModelSettings:
    return ModelSettings(
        provider="openai", model=model, base_url=url, timeout_s=20.0, options=options
    )


async def heard(
    settings: ModelSettings, *, api_key: str = KEY, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What the endpoint heard, told by the model "echo"."""
    async with open_openai(settings, slots=2, api_key=api_key, headers=headers or {}) as provider:
        response = (await provider.send(make_request())).response
    told: dict[str, Any] = json.loads(response.text)
    return told


async def failure(settings: ModelSettings, *, api_key: str = "") -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await heard(settings, api_key=api_key)
    assert caught.value.__cause__ is None or KEY not in repr(vars(caught.value.__cause__))
    assert KEY not in repr(caught.value)
    return caught.value


async def test_azure_is_asked_at_its_deployment_with_its_key(hostile_url: str) -> None:
    told = await heard(openai_model(hostile_url, **AZURE))

    assert told["path"] == "/openai/deployments/echo/chat/completions?api-version=2024-10-21"
    assert told["headers"]["api-key"] == KEY
    assert "authorization" not in told["headers"]


async def test_azure_deployment_can_have_a_name_of_its_own(hostile_url: str) -> None:
    told = await heard(openai_model(f"{hostile_url}/", **AZURE, deployment="team a/gpt"))

    path = "/openai/deployments/team%20a%2Fgpt/chat/completions?api-version=2024-10-21"
    assert told["path"] == path


async def test_azure_completion_goes_to_its_own_path(hostile_url: str) -> None:
    settings = openai_model(hostile_url, "completion", **AZURE)

    async with open_openai(settings, slots=1, api_key=KEY, headers={}) as provider:
        response = (await provider.send(replace(make_request(), mode="completion"))).response

    assert response.text == " hi"


async def test_azure_takes_an_entra_token_from_the_environment(hostile_url: str) -> None:
    told = await heard(openai_model(hostile_url, **AZURE, entra_token=True))

    assert told["headers"]["authorization"] == f"Bearer {KEY}"
    assert "api-key" not in told["headers"]


async def test_azure_key_that_the_endpoint_repeats_is_masked(hostile_url: str) -> None:
    error = await failure(openai_model(hostile_url, "leak", **AZURE, entra_token=True), api_key=KEY)

    assert str(error) == "leak answered 401: Incorrect API key provided: [key] as in Bearer [key]"


async def test_organization_and_project_are_sent(hostile_url: str) -> None:
    told = await heard(openai_model(f"{hostile_url}/v1", organization="org-1", project="proj-1"))

    assert told["headers"]["openai-organization"] == "org-1"
    assert told["headers"]["openai-project"] == "proj-1"


async def test_headers_of_the_user_win(hostile_url: str) -> None:
    told = await heard(
        openai_model(f"{hostile_url}/v1"), headers={"Authorization": "Basic abc", "X-Team": "é"}
    )

    assert told["headers"]["authorization"] == "Basic abc"
    assert told["headers"]["x-team"].encode("latin-1").decode() == "é"


@pytest.mark.parametrize(
    ("options", "api_key", "authorization"),
    [({}, KEY, f"Bearer {KEY}"), ({}, "", None), (AZURE, KEY, None)],
    ids=["key", "no-key", "azure"],
)
async def test_environment_is_not_used(
    hostile_url: str,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    api_key: str,
    authorization: str | None,
) -> None:
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)

    told = await heard(openai_model(hostile_url, **options), api_key=api_key)

    assert "planted" not in json.dumps(told).replace(KEY, "")
    assert "openai-organization" not in told["headers"]
    assert "openai-project" not in told["headers"]
    assert told["headers"].get("authorization") == authorization


async def test_address_is_that_of_openai_when_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", AMBIENT["OPENAI_BASE_URL"])

    async with open_openai(openai_model(""), slots=1, api_key=KEY, headers={}) as provider:
        assert str(provider._client.base_url) == "https://api.openai.com/v1/"
        assert provider._client.max_retries == 0


async def test_sdk_does_not_log(hostile_url: str, caplog: pytest.LogCaptureFixture) -> None:
    # What OPENAI_LOG=debug does when the SDK is imported.
    logging.getLogger("openai").setLevel(logging.DEBUG)

    await heard(openai_model(f"{hostile_url}/v1"))

    assert [record.name for record in caplog.records if record.name.startswith("openai")] == []


async def test_key_that_is_not_ascii_is_a_setting(hostile_url: str) -> None:
    error = await failure(openai_model(hostile_url), api_key=f"{KEY}é")

    assert isinstance(error, SettingsInvalid)
    assert str(error) == (
        "api_key_env names a key that the openai SDK cannot send: it is not ASCII (not shown)"
    )


async def test_address_that_only_the_sdk_refuses_is_a_setting() -> None:
    error = await failure(openai_model("http://ho\x7fst/v1"))

    assert isinstance(error, SettingsInvalid)
    assert str(error).startswith("base_url is no valid address: ")


class Wrapped(ConnectionFailed, httpx2.RequestError):
    """What every version of the SDK wraps, as some do all errors."""


async def test_error_that_the_sdk_wraps_comes_out_again() -> None:
    error = Wrapped("m: connection failed: cut")

    def answer(request: httpx2.Request) -> httpx2.Response:
        raise error

    transport = httpx2.MockTransport(answer)
    async with httpx2.AsyncClient(transport=transport) as http_client:
        client = openai.AsyncOpenAI(
            api_key=KEY, base_url="http://model.test/v1", max_retries=0, http_client=http_client
        )
        with pytest.raises(Wrapped) as caught:
            await OpenAIAdapter(client, openai_model("", "m")).send(make_request())

    assert caught.value is error
    assert caught.value.__cause__ is None


class FakeAzureError(Exception):
    pass


class FakeClientAuthenticationError(FakeAzureError):
    pass


class FakeCredential:
    """Stands in for azure-identity, which needs a cloud to be anything but absent."""

    opened: list[str]
    answers: list[str | Exception]

    async def __aenter__(self) -> Self:
        self.opened.append("opened")
        return self

    async def __aexit__(self, *error: object) -> None:
        self.opened.append("closed")


def get_bearer_token_provider(
    credential: FakeCredential, scope: str
) -> Callable[[], Coroutine[Any, Any, str]]:
    async def token() -> str:
        credential.opened.append(scope)
        answer = credential.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return token


@pytest.fixture
def credential(monkeypatch: pytest.MonkeyPatch) -> type[FakeCredential]:
    class Credential(FakeCredential):
        opened: list[str] = []  # noqa: RUF012 (a fake of one test)
        answers: list[str | Exception] = []  # noqa: RUF012

    identity, exceptions = ModuleType("azure.identity.aio"), ModuleType("azure.core.exceptions")
    vars(identity).update(
        DefaultAzureCredential=Credential, get_bearer_token_provider=get_bearer_token_provider
    )
    vars(exceptions).update(
        AzureError=FakeAzureError, ClientAuthenticationError=FakeClientAuthenticationError
    )
    for name in ("azure", "azure.identity", "azure.core"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, identity.__name__, identity)
    monkeypatch.setitem(sys.modules, exceptions.__name__, exceptions)
    return Credential


@pytest.mark.parametrize("options", [{}, AZURE], ids=["plain", "azure"])
async def test_each_call_asks_entra_for_a_token(
    hostile_url: str, credential: type[FakeCredential], options: dict[str, Any]
) -> None:
    credential.answers += ["first-token", "second-token"]
    settings = openai_model(hostile_url, **options, entra=True, entra_scope="scope")

    async with open_openai(settings, slots=1, api_key="", headers={}) as provider:
        replies = [await provider.send(make_request()) for _ in range(2)]
        told = [json.loads(reply.response.text) for reply in replies]

    sent = [call["headers"]["authorization"] for call in told]
    assert sent == ["Bearer first-token", "Bearer second-token"]
    assert "api-key" not in told[0]["headers"]
    assert credential.opened == ["opened", "scope", "scope", "closed"]


async def test_token_that_the_endpoint_repeats_is_masked(
    hostile_url: str, credential: type[FakeCredential]
) -> None:
    credential.answers.append(KEY)

    error = await failure(openai_model(hostile_url, "leak", entra=True))

    assert str(error) == "leak answered 401: Incorrect API key provided: [key] as in Bearer [key]"


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (
            FakeClientAuthenticationError("no identity\nin eyJ0eXAiOi.planted-token"),
            AccessDenied,
            "echo: no token: no identity in [key]",
        ),
        (FakeAzureError(), ConnectionFailed, "echo: no token: FakeAzureError"),
    ],
)
async def test_entra_that_gives_no_token(
    hostile_url: str,
    credential: type[FakeCredential],
    answer: Exception,
    kind: type[ProviderError],
    message: str,
) -> None:
    credential.answers.append(answer)

    error = await failure(openai_model(hostile_url, **AZURE, entra=True))

    assert type(error) is kind
    assert str(error) == message


async def test_entra_without_its_package_is_a_setting(
    hostile_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity.aio", None)

    error = await failure(openai_model(hostile_url, **AZURE, entra=True))

    assert isinstance(error, SettingsInvalid)
    assert str(error) == (
        "options.entra needs the azure-identity package: pip install azure-identity"
    )


@asynccontextmanager
async def exchange(status: str, answer: object) -> AsyncIterator[tuple[str, list[bytes]]]:
    """An endpoint that changes identities into tokens, and what it was sent."""
    sent: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r")[0])
        sent.append(await reader.readexactly(length))
        body = json.dumps(answer).encode()
        writer.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n" % (status.encode(), len(body)))
        writer.write(b"connection: close\r\n\r\n" + body)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/oauth/token", sent


def machine(tmp_path: Path) -> WorkloadIdentity:
    token_file = tmp_path / "token"
    token_file.write_text(KEY)
    return WorkloadIdentity(
        identity_provider_id="idp_1", service_account_id="sa_1", token_file=str(token_file)
    )


async def test_workload_identity_is_exchanged_once_for_a_token(tmp_path: Path) -> None:
    answer = {"access_token": "short-lived", "expires_in": 3600}
    async with exchange("200 OK", answer) as (url, sent):
        token = workload_token(openai_model(""), machine(tmp_path), exchange_url=url)

        tokens = [await token(), await token()]

    assert tokens == ["short-lived", "short-lived"]
    assert [json.loads(body) for body in sent] == [
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": KEY,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "identity_provider_id": "idp_1",
            "service_account_id": "sa_1",
        }
    ]


async def test_workload_identity_that_is_refused_is_access_denied(tmp_path: Path) -> None:
    answer = {"error": "invalid_grant", "error_description": "unknown subject"}
    async with exchange("401 No", answer) as (url, _):
        token = workload_token(openai_model(""), machine(tmp_path), exchange_url=url)

        with pytest.raises(AccessDenied, match=r"^echo: no token: unknown subject$"):
            await token()


async def test_workload_exchange_that_fails_can_be_tried_again(tmp_path: Path) -> None:
    async with exchange("503 Busy", {}) as (url, _):
        token = workload_token(openai_model(""), machine(tmp_path), exchange_url=url)

        with pytest.raises(ConnectionFailed, match=r"status 503$"):
            await token()


async def test_workload_identity_is_found_where_the_options_say(
    hostile_url: str, tmp_path: Path
) -> None:
    workload = {"identity_provider_id": "a", "service_account_id": "b", "token_file": "/none"}

    error = await failure(openai_model(hostile_url, workload=workload))

    assert isinstance(error, ConnectionFailed)
    assert str(error).startswith("echo: no token: Failed to read the token file at /none")


@pytest.mark.parametrize("subject", ["azure", "gcp"])
async def test_workload_identity_of_other_clouds_can_be_asked_for(
    hostile_url: str, subject: str
) -> None:
    # Who answers there is known only inside these clouds; that it opens is all there is to see.
    workload = {"identity_provider_id": "a", "service_account_id": "b", "subject": subject}

    settings = openai_model(hostile_url, workload=workload)
    async with open_openai(settings, slots=1, api_key="", headers={}) as provider:
        assert callable(provider._client._api_key_provider)
