"""Every async test runs on asyncio; no property is judged by a clock."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite(
    *(
        f"hydrometer.testing.{module}"
        for module in (
            "adapter_contract",
            "http_contract_cases",
            "http_replies_contract",
            "http_contract",
        )
    )
)

# By default hypothesis fails an example of over 200 ms, which on a busy machine any can be.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
