"""Noticing that the code was changed, for development."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from importlib.util import find_spec
from pathlib import Path

from jobqueue.core.errors import ConfigurationError


def check_installed() -> None:
    """Raise ConfigurationError if what watches the files is not installed."""
    if find_spec("watchfiles") is None:
        raise ConfigurationError(
            "--reload: the package watchfiles is not installed; run: pip install 'jobqueue[reload]'"
        )


async def changes(folder: Path) -> AsyncGenerator[list[str]]:
    """Give the names of Python files under `folder` whenever some have changed."""
    import watchfiles  # noqa: PLC0415 - an optional extra

    only = watchfiles.PythonFilter()
    async for found in watchfiles.awatch(folder, watch_filter=only):  # pyright: ignore[reportUnknownMemberType] - a parameter of its has no full type
        yield sorted({Path(path).name for _, path in found})
