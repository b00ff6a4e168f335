"""The client's tests share one database, emptied before each of them."""

from __future__ import annotations

import pytest

from tests.client.books import rows
from tests.conftest import emptied


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    """URL of a migrated database without a single row."""
    emptied(shared_database_url)
    rows(shared_database_url, "DELETE FROM jobqueue.idempotency_keys")
    rows(shared_database_url, "DELETE FROM jobqueue.throttles")
    return shared_database_url
