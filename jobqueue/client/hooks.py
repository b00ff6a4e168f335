"""What an application has registered around its enqueues and attempts, and for its workers."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any

from jobqueue.client.around_enqueue import Enqueuing
from jobqueue.client.context import CurrentJob
from jobqueue.core.alerts import Alert
from jobqueue.core.around import Hook
from jobqueue.core.errors import ConfigurationError

AroundEnqueue = Callable[[Enqueuing], Generator[None, Any, Any]]
AroundAttempt = Callable[[CurrentJob], Generator[None, Any, Any] | AsyncGenerator[None, Any]]
Given = Mapping[str, Any] | None
"""What a lifespan yields: resources by name, or nothing."""
Lifespan = Callable[[], Generator[Given, Any, Any] | AsyncGenerator[Given, Any]]


class Hooks:
    """The hooks of one JobQueue, each kind in the order in which they were registered.

    enqueues, attempts: outermost first. plain_attempts: those that can run around plain tasks.
    lifespans: opened in this order. alerts: called in this order.
    """

    def __init__(self) -> None:
        self.enqueues: tuple[Hook, ...] = ()
        self.attempts: tuple[Hook, ...] = ()
        self.plain_attempts: tuple[Hook, ...] = ()
        self.lifespans: tuple[Hook, ...] = ()
        self.alerts: tuple[Hook, ...] = ()

    def add_around_enqueue(self, function: AroundEnqueue) -> None:
        """Register a hook around enqueues. Raises ConfigurationError."""
        hook = _hook("around_enqueue", function, "enqueue")
        if hook.is_async:
            raise ConfigurationError(
                f"around_enqueue {hook.name!r}: is async, but runs around sync enqueues as well; "
                "make it a plain generator (def)"
            )
        self.enqueues += (hook,)

    def add_around_attempt(self, function: AroundAttempt) -> None:
        """Register a hook around attempts. Raises ConfigurationError."""
        hook = _hook("around_attempt", function, "job")
        self.attempts += (hook,)
        if not hook.is_async:
            self.plain_attempts += (hook,)

    def add_lifespan(self, function: Lifespan) -> None:
        """Register a lifespan. Raises ConfigurationError."""
        self.lifespans += (_hook("lifespan", function),)

    def add_alert(self, function: Callable[[Alert], Any]) -> None:
        """Register a function that is told of alerts. Raises ConfigurationError."""
        name = _name(function)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigurationError(
                f"on_alert {name!r}: is a generator, which nobody would run; drop its `yield`"
            )
        _check_parameters("on_alert", name, function, "alert")
        self.alerts += (Hook(name, function, inspect.iscoroutinefunction(function)),)


def _hook(kind: str, function: Callable[..., Any], *takes: str) -> Hook:
    name = _name(function)
    is_async = inspect.isasyncgenfunction(function)
    if not is_async and not inspect.isgeneratorfunction(function):
        raise ConfigurationError(
            f"{kind} {name!r}: is no generator function; write `yield` once in it, between what is "
            "done before and what is done after"
        )
    _check_parameters(kind, name, function, *takes)
    return Hook(name, function, is_async)


def _name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__qualname__", None) or repr(function)
    return name.rpartition("<locals>.")[2]


def _check_parameters(kind: str, name: str, function: Callable[..., Any], *takes: str) -> None:
    try:
        inspect.signature(function).bind(*takes)
    except TypeError:
        shape = f"{name}({', '.join(takes)})"
        raise ConfigurationError(
            f"{kind} {name!r}: cannot be called as {shape}; give it these parameters, and defaults "
            "to any others"
        ) from None
