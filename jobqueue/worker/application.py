"""Finding an application's JobQueue from `module:attribute`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

from jobqueue.client.queue import JobQueue
from jobqueue.core.errors import ApplicationError


def load_application(path: str, imports: Iterable[str] = ()) -> JobQueue:
    """Import `module:attribute` (`attribute` defaults to `jobs`), then the modules in `imports`.

    The current folder is importable, as it is for `python -m`.
    Raises ApplicationError if it names no JobQueue. What the module raises on import comes through
    as it is, with its own traceback.
    """
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module_name, _, attribute = path.partition(":")
    attribute = attribute or "jobs"
    module = _import(module_name, path)
    if not hasattr(module, attribute):
        raise ApplicationError(
            f"application {path!r}: module {module_name!r} has no {attribute!r}; "
            "write MODULE:NAME of your JobQueue"
        )
    found = getattr(module, attribute)
    if not isinstance(found, JobQueue):
        raise ApplicationError(
            f"application {path!r}: is a {type(found).__name__}, not a JobQueue; "
            "write MODULE:NAME of your JobQueue"
        )
    for name in imports:
        _import(name, name)
    return found


def _import(name: str, path: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only when the module itself is not there: one that it fails to import is its own affair.
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise ApplicationError(
                f"application {path!r}: no module named {error.name!r} here; "
                "run the command in your project's folder, or install the project"
            ) from None
        raise
    except (ValueError, TypeError) as error:
        if name and not name.startswith("."):
            raise
        raise ApplicationError(
            f"application {path!r}: not a module's name; write MODULE:NAME of your JobQueue"
        ) from error
