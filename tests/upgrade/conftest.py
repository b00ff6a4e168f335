"""Fixtures for tests with two releases on one database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.upgrade.previous import CHECKOUT, WHEEL, Release, unpacked


@pytest.fixture
def old(tmp_path: Path, database_url: str) -> Iterator[Release]:
    """The previous release, on a database of the current one."""
    it = Release(tmp_path / "old", database_url, WHEEL)
    yield it
    it.end()


@pytest.fixture
def new(tmp_path: Path, database_url: str) -> Iterator[Release]:
    """The current release, on the same database."""
    it = Release(tmp_path / "new", database_url, CHECKOUT)
    yield it
    it.end()


@pytest.fixture
def before(tmp_path: Path, empty_database_url: str) -> Iterator[Release]:
    """The previous release, on a database that it has migrated itself."""
    it = Release(tmp_path / "before", empty_database_url, unpacked(tmp_path / "package"))
    it.jobqueue("migrate")
    yield it
    it.end()


@pytest.fixture
def after(tmp_path: Path, empty_database_url: str, before: Release) -> Iterator[Release]:
    """The current release, on the database that the previous one migrated."""
    it = Release(tmp_path / "after", empty_database_url, CHECKOUT)
    yield it
    it.end()
