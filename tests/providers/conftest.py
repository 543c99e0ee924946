"""One hostile endpoint serves the tests of the adapters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hydrometer.testing.hostile_endpoint import serve_hostile


@pytest.fixture(scope="session")
def hostile_url() -> Iterator[str]:
    """The address of the endpoint, without a path."""
    with serve_hostile() as endpoint:
        yield endpoint.address
