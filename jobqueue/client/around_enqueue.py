"""Running an application's hooks around its enqueues."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Generator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from jobqueue.core.around import Ended, Hook, Step, around, perform
from jobqueue.core.hiding import hide, secret_texts
from jobqueue.core.options import EnqueueOptions
from jobqueue.core.outcome import named
from jobqueue.store.statement import Statement

if TYPE_CHECKING:
    from jobqueue.client.task import Task

log = logging.getLogger("jobqueue.client")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Enqueuing:
    """One call that enqueues, as hooks around it see it. Nothing here can be changed.

    task: its name. arguments: of its job, by parameter name, with the defaults; none where there
    are many jobs. They hold secret ones too. options: as `using` left them.
    count: how many jobs; None where they come from an iterator, which knows only at its end.
    """

    task: str
    arguments: Mapping[str, Any] = field(repr=False)
    options: EnqueueOptions = field(repr=False)
    count: int | None = 1


class AroundEnqueue:
    """Runs hooks around the body of a `with`, which hands over what it has enqueued by `gives`."""

    def __init__(self, hooks: tuple[Hook, ...], subject: Enqueuing, rules: _Rules) -> None:
        self._body = Step(lambda: None)
        self._steps = around(hooks, subject, self._body, rules)
        self._value: Any = None

    def gives(self, enqueued: T) -> T:
        """Hand over what was enqueued, for the hooks to see, and give it back."""
        self._value = enqueued
        return enqueued

    def __enter__(self) -> Self:
        step, ended = _run_until(self._steps, self._body, None)
        if step is None and ended[1] is not None:
            raise ended[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Run what comes after; what the body raised goes on."""
        _, ended = _run_until(self._steps, self._body, (self._value, error))
        if ended[1] is not None and ended[1] is not error:
            raise ended[1]


def around_one(
    task: Task[..., Any], values: Mapping[str, object], statement: Statement[Any]
) -> AroundEnqueue:
    """Run the hooks around the enqueue of one job, with `values` by parameter name.

    statement: was made of them before, so that nothing a hook does to them changes the job.
    """
    arguments = MappingProxyType(task.signature.with_defaults(values))
    subject = Enqueuing(task.name, arguments, task.options)
    args: str = statement.params["args"]
    # Jobs under limits travel as an array, also where there is one.
    return AroundEnqueue(task.hooks.enqueues, subject, _Rules(task, args.strip("[]")))


def around_many(task: Task[..., Any], items: object) -> AroundEnqueue:
    """Run the hooks around a call that enqueues `items`; once, however many they are."""
    count = len(items) if isinstance(items, Sized) else None
    subject = Enqueuing(task.name, MappingProxyType({}), task.options, count)
    return AroundEnqueue(task.hooks.enqueues, subject, _Rules(task, "{}"))


class _Rules:
    """Hooks only look on; an interrupt of the program passes through them as through any code."""

    def __init__(self, task: Task[..., Any], args: str) -> None:
        self._task = task
        self._args = args

    def decides(self, error: BaseException, *, before: bool) -> bool:  # noqa: ARG002 - at any time
        return not isinstance(error, Exception)

    def forbids(self) -> None:
        """Leave a hook anything."""

    def abandons(self, begun: Sequence[object]) -> bool:  # noqa: ARG002 - never
        return False

    def tell(self, hook: Hook, mistake: str, error: BaseException | None) -> None:
        secrets = secret_texts(self._args, self._task.signature.secrets)
        said = "" if error is None else f" {named(error, secrets)}"
        # Without what it was raised in the course of, which is the caller's to see.
        lines = [] if error is None else traceback.format_exception(error, chain=False)
        trace = hide("".join(["\n", *lines]).rstrip(), secrets)
        log.error(
            "around_enqueue %r, task %r: %s%s; the enqueue is as it would be without it%s",
            *(hook.name, self._task.name, mistake, said, trace),
        )


def _run_until(
    steps: Generator[Step, Ended, Ended], body: Step, ended: Ended | None
) -> tuple[Step | None, Ended]:
    """Run steps to the body, or to the end; give the body, or None and how it all ended."""
    try:
        step = next(steps) if ended is None else steps.send(ended)
        while step is not body:
            step = steps.send(perform(step))
    except StopIteration as end:
        return None, end.value
    return step, (None, None)
