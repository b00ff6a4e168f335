"""Middleware: generators with one `yield`, each around what happens there.

The order of steps is a generator itself, which waits for nothing: whoever drives it performs each
step, in a thread or on an event loop, and sends back how that ended.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

Ended = tuple[Any, BaseException | None]
"""What something gave, or what it raised: as a value, for some errors cannot cross a generator."""


_Begun = tuple["Hook", Any]
"""A hook, and its generator, which stands at its `yield`."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A generator function that was registered. is_async: whether its steps are awaited."""

    name: str
    function: Callable[..., Any]
    is_async: bool = False


class Step(NamedTuple):
    """Something to do next. awaits: what the function gives is to be awaited."""

    function: Callable[[], Any]
    awaits: bool = False


class Rules(Protocol):
    """What hooks may do besides looking on, and where their mistakes are told."""

    def decides(self, error: BaseException, *, before: bool) -> bool:
        """Whether what a hook raised is how it all ends. before: its `yield`."""
        ...

    def forbids(self) -> Exception | None:
        """Give what is wrong with how a hook left things at its `yield`, if anything."""
        ...

    def abandons(self, begun: Sequence[object]) -> bool:
        """Whether what the body came back to is no place to go on in; `begun` then ends nowhere."""
        ...

    def tell(self, hook: Hook, mistake: str, error: BaseException | None) -> None:
        """Log what is wrong with a hook. error: what it raised, if that is it."""
        ...


def around(
    hooks: Sequence[Hook], subject: object, body: Step, rules: Rules
) -> Generator[Step, Ended, Ended]:
    """Give the steps that run `body` within `hooks`, the first outermost; in the end how it ended.

    What a hook raises is told and changes nothing, unless `rules` say that it decides. The error of
    the body is raised at each `yield`, and is how it ends whatever the hooks make of it.
    """
    begun: list[_Begun] = []
    ended = yield from _begin(hooks, subject, rules, begun)
    if ended is None:
        ended = yield body
        if rules.abandons(begun):
            return ended
    for hook, generator in reversed(begun):
        ended = yield from _end(hook, generator, ended, rules)
    return ended


def drive(steps: Generator[Step, Ended, Ended]) -> Any:  # noqa: ANN401 - whatever the body gives
    """Do the steps, none of which is to be awaited. Gives what the body gave; raises its error."""
    ended: Ended
    try:
        step = next(steps)
        while True:
            step = steps.send(perform(step))
    except StopIteration as end:
        ended = end.value
    return _given(ended)


async def adrive(steps: Generator[Step, Ended, Ended]) -> Any:  # noqa: ANN401 - the same
    """Do any steps on the event loop that runs; as `drive`."""
    ended: Ended
    try:
        step = next(steps)
        while True:
            step = steps.send(await aperform(step))
    except StopIteration as end:
        ended = end.value
    return _given(ended)


def perform(step: Step) -> Ended:
    """Do a step that is not to be awaited, and say how it ended."""
    try:
        return step.function(), None
    except BaseException as error:  # noqa: BLE001 - handed on as a value
        return None, error


async def aperform(step: Step) -> Ended:
    """Do any step, and say how it ended."""
    try:
        value = step.function()
        return (await value if step.awaits else value), None
    except GeneratorExit:
        raise  # the coroutine itself is being closed, and may await nothing more
    except BaseException as error:  # noqa: BLE001 - handed on as a value
        return None, error


def _given(ended: Ended) -> Any:  # noqa: ANN401
    value, error = ended
    if error is not None:
        raise error
    return value


def _begin(
    hooks: Sequence[Hook], subject: object, rules: Rules, begun: list[_Begun]
) -> Generator[Step, Ended, Ended | None]:
    """Bring hooks to their `yield`, into `begun`. Gives how it all ended if one of them decides."""
    for hook in hooks:
        generator = hook.function(subject)
        _, error = yield _resume(hook, generator, (None, None))
        if error is None and (wrong := rules.forbids()) is not None:
            rules.tell(hook, "raised", wrong)
            yield from _close(hook, generator, wrong, rules)
        elif error is None:
            begun.append((hook, generator))
        elif _is_end(error, None):
            rules.tell(hook, "did not yield; write `yield` where what it surrounds runs", None)
        elif rules.decides(error, before=True):
            return None, error
        else:
            rules.tell(hook, "raised", error)
    return None


def _end(
    hook: Hook,
    generator: Any,  # noqa: ANN401 - either kind
    ended: Ended,
    rules: Rules,
) -> Generator[Step, Ended, Ended]:
    """Bring a hook from its `yield` to its end. Gives how it all ended, seen from outside it."""
    passing = ended[1]
    trace = None if passing is None else passing.__traceback__
    _, error = yield _resume(hook, generator, ended)
    if passing is not None:
        passing.__traceback__ = trace  # without the lines of hooks that it went through
    if error is None:
        rules.tell(hook, "yielded twice; yield once, for it surrounds one thing", None)
        yield from _close(hook, generator, None, rules)
    elif _is_end(error, passing):
        pass
    elif rules.decides(error, before=False):
        return None, error
    else:
        rules.tell(hook, "raised", error)
    return ended


def _resume(hook: Hook, generator: Any, ended: Ended) -> Step:  # noqa: ANN401 - either kind
    value, error = ended
    if hook.is_async:
        step = (
            partial(generator.asend, value) if error is None else partial(generator.athrow, error)
        )
    else:
        step = partial(generator.send, value) if error is None else partial(generator.throw, error)
    return Step(step, hook.is_async)


def _close(
    hook: Hook,
    generator: Any,  # noqa: ANN401 - either kind
    reason: Exception | None,
    rules: Rules,
) -> Generator[Step, Ended, None]:
    """End a hook that stands at a `yield` where it should not. reason: raised there, if any."""
    if reason is not None:
        _, error = yield _resume(hook, generator, (None, reason))
        if error is not None:
            if not _is_end(error, reason):
                rules.tell(hook, "raised", error)
            return
    close = generator.aclose if hook.is_async else generator.close
    _, error = yield Step(close, hook.is_async)
    if error is not None:
        rules.tell(hook, "raised", error)


def _is_end(error: BaseException, passing: BaseException | None) -> bool:
    """Whether a generator has ended as it should: by itself, or with what was raised in it."""
    if error is passing or isinstance(error, StopIteration | StopAsyncIteration):
        return True
    # Python does not let these two out of a generator as they are.
    stopped = isinstance(passing, StopIteration | StopAsyncIteration)
    return stopped and isinstance(error, RuntimeError) and error.__cause__ is passing
