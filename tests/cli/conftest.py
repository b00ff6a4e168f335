"""Fixtures for tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import Shell


@pytest.fixture
def shell(tmp_path: Path, database_url: str) -> Shell:
    """A shell whose environment names a fresh, migrated database."""
    return Shell(tmp_path, database_url)


@pytest.fixture
def empty_shell(tmp_path: Path, empty_database_url: str) -> Shell:
    """A shell whose environment names a database without our schema."""
    return Shell(tmp_path, empty_database_url)


@pytest.fixture
def bare_shell(tmp_path: Path) -> Shell:
    """A shell whose environment names no database."""
    return Shell(tmp_path, None)
