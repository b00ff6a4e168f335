"""Finding an application's JobQueue from `module:attribute`."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from jobqueue.client.queue import JobQueue
from jobqueue.core.errors import ApplicationError, ImportFailed, JobQueueError


def load_application(path: str, imports: Iterable[str] = ()) -> JobQueue:
    """Import `module:attribute` (`attribute` defaults to `jobs`), then the modules in `imports`.

    The current folder is importable, as it is for `python -m`.
    Raises ApplicationError if it names no JobQueue, and ImportFailed, from what the module raised,
    if its own code fails. Errors of this package that it raises come through as they are.
    """
    _look_in_this_folder()
    module_name, _, attribute = path.partition(":")
    attribute = attribute or "jobs"
    module = _import(module_name, f"application {path!r}", "write MODULE:NAME of your JobQueue")
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
        _import(name, f"--import {name!r}", "write it as in an import statement")
    return found


def load_attribute(path: str, subject: str) -> Any:  # noqa: ANN401 - whatever it names
    """Import what `module:attribute` names. subject: who asked for it.

    Raises ApplicationError if there is no such thing, and ImportFailed as `load_application`.
    """
    _look_in_this_folder()
    module_name, _, attribute = path.partition(":")
    module = _import(module_name, subject, "write MODULE:NAME")
    if not attribute or not hasattr(module, attribute):
        raise ApplicationError(
            f"{subject}: module {module_name!r} has no {attribute!r}; write MODULE:NAME"
        )
    return getattr(module, attribute)


def _look_in_this_folder() -> None:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _import(name: str, subject: str, remedy: str) -> object:
    """Import a module. subject: who asked for it. remedy: what to do if it is no module's name."""
    if not name or name.startswith("."):
        raise ApplicationError(f"{subject}: not a module's name; {remedy}")
    try:
        return importlib.import_module(name)
    except JobQueueError:
        raise
    except Exception as error:  # noqa: BLE001 - of an application's own code it may be anything
        if isinstance(error, ModuleNotFoundError) and _leads_to(error.name, name):
            raise ApplicationError(
                f"{subject}: no module named {error.name!r} here; "
                "run the command in your project's folder, or install the project"
            ) from None
        what = traceback.format_exception_only(error)[-1].strip()
        raise ImportFailed(
            f"{subject}: module {name!r} fails when it is imported ({what}); mend it"
        ) from error.with_traceback(_of_the_module(error.__traceback__))


def _leads_to(missing: str | None, name: str) -> bool:
    """Whether it is the module itself that is not there, and not one that it imports."""
    return bool(missing) and (name == missing or name.startswith(f"{missing}."))


def _of_the_module(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the calls that led to the module."""
    while trace is not None and _is_way(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def _is_way(file: str) -> bool:
    return file in {__file__, importlib.__file__} or file.startswith("<frozen importlib")
