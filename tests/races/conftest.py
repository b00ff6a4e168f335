"""The races share one database of their own, for they make and drop partitions in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import new_database
from tests.races.ring import Ring, ring_at


@pytest.fixture(scope="session")
def races_url(server_url: str, template: str) -> Iterator[str]:
    """URL of a migrated database that only races are run in."""
    yield from new_database(server_url, template)


@pytest.fixture
def ring(races_url: str) -> Iterator[Ring]:
    """Two sessions that meet, and one that prepares and looks, on a database without a row."""
    with ring_at(races_url) as it:
        yield it
