"""Fixtures for the tests of prices."""

from collections.abc import Iterator

import pytest
from support.raw_price_server import RawServer, raw_server


@pytest.fixture
def raw_stub() -> Iterator[RawServer]:
    with raw_server() as stub:
        yield stub
