"""The batch that the calling code runs in, and what a task says of its batches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints, is_typeddict

from jobqueue.client.context import Attempt, CurrentJob, as_current, current_attempt
from jobqueue.client.context import current_resources as resources_here
from jobqueue.client.resources import Resources
from jobqueue.core.arguments import Signature
from jobqueue.core.errors import NoCurrentJob, TaskError


class BatchAttempt(Attempt):
    """One run of several jobs of a task together. Its job is the first of them.

    entered: those whose arguments could be read, in the order of the items.
    """

    __slots__ = ("_members", "entered")

    def __init__(self, members: Sequence[Attempt]) -> None:
        first = members[0]
        super().__init__(
            first.job, first.pools, first.began, first.report, first.history, loop=first.loop
        )
        self._members = tuple(members)
        self.entered: Sequence[Attempt] = self._members

    @property
    def members(self) -> Sequence[Attempt]:
        """The attempts of the jobs."""
        return self._members

    def tell(self, reason: Exception) -> None:
        """Note why it is to stop, and with it every job that is not to stop already."""
        super().tell(reason)
        for one in self._members:
            one.stopped = one.stopped or reason


@dataclass(frozen=True, slots=True)
class CurrentBatch:
    """What a batch that runs may know of itself. jobs: in the order of the items."""

    task: str
    jobs: Sequence[CurrentJob]
    resources: Resources
    """What the lifespans of the application have opened in this process, by name."""
    _attempt: BatchAttempt

    @property
    def cancelled(self) -> bool:
        """Whether the whole batch is to stop: its time is over, or all its jobs were cancelled."""
        return self._attempt.stopped is not None

    def check(self) -> None:
        """Go on, unless the whole batch is to stop. Raises JobStopped, as that of a job."""
        self._attempt.check()


def current_batch() -> CurrentBatch:
    """Give the batch this code runs in, on the event loop or in a thread of the worker.

    Raises NoCurrentJob outside one.
    """
    attempt = current_attempt.get(None)
    if not isinstance(attempt, BatchAttempt):
        raise NoCurrentJob(
            "current_batch(): no batch runs here; call it from a task with batch=, run by a worker"
        )
    jobs = tuple(map(as_current, attempt.entered))
    return CurrentBatch(attempt.job.task, jobs, resources_here.get(), attempt)


class Items(NamedTuple):
    """What a task with batch= takes a list of. signature: of one. make: makes one of arguments."""

    signature: Signature
    make: Callable[..., Any]


def items_of(task: str, function: Callable[..., Any]) -> Items:
    """Find out what `function` takes a list of: `def index(documents: list[Document])`.

    One item holds the arguments of one job: a dataclass, a NamedTuple, a pydantic model or another
    class that is made from its arguments by name; or `dict`, whose arguments are not checked.
    Raises TaskError if it takes something else.
    """
    names = list(inspect.signature(function).parameters)
    if len(names) != 1:
        raise TaskError(
            f"task {task!r}: takes {len(names)} parameters, but batch= calls it with one list; "
            "write def function(items: list[Item])"
        )
    try:
        hint = get_type_hints(function).get(names[0])
    except NameError as error:
        raise TaskError(
            f"task {task!r}: annotation {error.name!r} cannot be resolved; define it before the "
            "task, and import it at run time"
        ) from error
    kind = get_args(hint)[0] if get_origin(hint) is list else None
    item = get_origin(kind) or kind
    if item is dict:
        return Items(Signature(task, _dictionary), _dictionary)
    if not isinstance(item, type) or item.__module__ == "builtins" or is_typeddict(item):
        raise TaskError(
            f"task {task!r}: batch= calls it with a list of items that hold the arguments of one "
            f"job each, by name; annotate {names[0]!r} as list[Item], Item a dataclass, a "
            "NamedTuple or a pydantic model, or as list[dict]"
        )
    return Items(Signature(task, item), item)


def _dictionary(**arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401 - not checked
    return arguments
