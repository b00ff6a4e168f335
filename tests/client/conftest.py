"""The client's tests share one database, emptied before each of them."""

from __future__ import annotations

import pytest

from tests.conftest import emptied


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    """URL of a migrated database without a single row."""
    return emptied(shared_database_url)
