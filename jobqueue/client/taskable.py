"""What can be a task: a function that a worker can call by itself."""

from __future__ import annotations

import inspect

from jobqueue.core.errors import TaskError


def check_taskable(name: str, function: object) -> None:
    """Raise TaskError if calling `function` with a job's arguments could not run it."""
    for kind in (staticmethod, classmethod):
        if isinstance(function, kind):
            raise TaskError(
                f"task {name!r}: is a {kind.__name__}; write a function outside the class, or a "
                "staticmethod with @staticmethod above @jobs.task"
            )
    if not callable(function):
        raise TaskError(f"task {function!r}: not a function; write @jobs.task above one")
    if _is_method(function):
        raise TaskError(
            f"task {name!r}: is a method, and a worker has no object to call it on; write a "
            "function outside the class, and pass what it needs as arguments"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TaskError(
            f"task {name!r}: is a generator, which calling does not run; "
            "write a function or coroutine that loops over it"
        )


def _is_method(function: object) -> bool:
    """Whether it was defined in a class and takes the object; a bound one has taken it already."""
    if not inspect.isfunction(function):
        return False
    where = function.__qualname__.rpartition(".")[0]
    in_class = where != "" and not where.endswith("<locals>")
    return in_class and next(iter(inspect.signature(function).parameters), "") in {"self", "cls"}
