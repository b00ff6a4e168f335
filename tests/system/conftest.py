"""Fixtures for tests with real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.processes import Crew


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    """Worker processes; every one is ended with the test."""
    it = Crew(tmp_path)
    try:
        yield it
    finally:
        it.end()
