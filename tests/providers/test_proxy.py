"""Which proxy leads to an address, and what is never said of it."""

from __future__ import annotations

import pytest

from hydrometer.providers.errors import SettingsInvalid
from hydrometer.providers.http.proxy import Proxy, find_proxy

URL = "http://model.test:8000/v1"
SECRET = "Planted-Proxy-Secret"
BASIC = "Basic cHVzZXI6UGxhbnRlZC1Qcm94eS1TZWNyZXQ="


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_a_proxy_without_a_scheme_is_an_http_one_and_its_url_holds_no_password(scheme: str) -> None:
    proxy = find_proxy(URL, {"http_proxy": f"{scheme}puser:{SECRET}@127.0.0.1:3128"})

    assert proxy == Proxy(
        variable="http_proxy",
        url="http://127.0.0.1:3128",
        password=SECRET,
        authorization=BASIC,
    )


def test_a_password_may_be_percent_encoded() -> None:
    proxy = find_proxy(URL, {"http_proxy": "http://u:p%40ss@proxy.test"})

    assert proxy is not None
    assert (proxy.password, proxy.authorization) == ("p@ss", "Basic dTpwQHNz")


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({}, None),
        ({"http_proxy": "a", "HTTP_PROXY": "b", "all_proxy": "c"}, "http_proxy"),
        ({"HTTP_PROXY": "b", "all_proxy": "c"}, "HTTP_PROXY"),
        ({"https_proxy": "a", "all_proxy": "c", "ALL_PROXY": "d"}, "all_proxy"),
        ({"ALL_PROXY": "d"}, "ALL_PROXY"),
        ({"https_proxy": "a"}, None),
        ({"http_proxy": "", "HTTP_PROXY": "b"}, None),
        ({"http_proxy": "a", "no_proxy": "model.test"}, None),
        ({"http_proxy": "a", "NO_PROXY": "other, .test"}, None),
        ({"http_proxy": "a", "NO_PROXY": "model.test:8000"}, None),
        ({"http_proxy": "a", "NO_PROXY": "model.test:80"}, "http_proxy"),
        ({"all_proxy": "a", "no_proxy": "*"}, None),
        ({"all_proxy": "socks5://a", "no_proxy": "model.test"}, None),
    ],
)
def test_the_scheme_has_its_proxy_before_all_have_theirs_and_no_proxy_holds(
    environ: dict[str, str], variable: str | None
) -> None:
    proxy = find_proxy(URL, environ)

    assert (proxy and proxy.variable) == variable


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "[::1]", "localhost"])
def test_loopback_needs_no_proxy(host: str) -> None:
    assert find_proxy(f"http://{host}:8000/v1", {"all_proxy": "http://proxy.test"}) is None


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("socks5://{}", "and only http:// and https:// proxies can be used, no socks"),
        ("ftp://{}", "and only http:// and https:// proxies can be used, no socks"),
        ("http://{}:port", "which is no valid address"),
        ("http://{}/\n", "which is no valid address"),
        ("http:// {}", "which is no valid address"),
        ("http://puser:{}@", "which is no valid address"),
        ("http://[{}", "which is no valid address"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_its_value(value: str, why: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        find_proxy(URL, {"ALL_PROXY": value.format(SECRET)})

    assert str(refused.value) == (
        f"base_url is reached through the proxy in ALL_PROXY, {why} (value not shown)"
    )
