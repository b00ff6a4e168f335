"""The limits that an application's tasks declare."""

from __future__ import annotations

from jobqueue.core.errors import ConfigurationError
from jobqueue.core.limits import Concurrency, Flow, RateLimit, check_limit_name, check_whole

Declared = RateLimit | Concurrency | None
"""A limit as code declares it; None: code names it only."""


class Limits:
    """All that are declared, by name; a name has one rule."""

    def __init__(self) -> None:
        self.declared: dict[str, Declared] = {}

    def flow(
        self,
        task: str,
        concurrency: Concurrency | None,
        rate_limit: RateLimit | str | None,
        weight: int | None,
    ) -> Flow | None:
        """Enter the limits of a task, and give what its jobs are under; None: nothing.

        Raises ConfigurationError for what cannot be a limit, or a name that has another rule.
        """
        if weight is not None:
            check_whole(weight, f"task {task!r}: weight")
            if rate_limit is None:
                raise ConfigurationError(
                    f"task {task!r}: weight {weight}: there is no rate_limit it would count in"
                )
        own, its_key = self._concurrency(task, concurrency)
        rate, rate_key = self._rate(task, rate_limit)
        if own is None and rate is None:
            return None
        return Flow(own, its_key, rate, rate_key, weight)

    def _concurrency(self, task: str, limit: object) -> tuple[str | None, str | None]:
        if limit is None:
            return None, None
        if not isinstance(limit, Concurrency):
            raise ConfigurationError(
                f"task {task!r}: concurrency {limit!r}: wrong type; give Concurrency(amount, ...)"
            )
        name = task if limit.name is None else limit.name
        self._declare(name, limit)
        return name, limit.key

    def _rate(self, task: str, limit: object) -> tuple[str | None, str | None]:
        if limit is None:
            return None, None
        if isinstance(limit, RateLimit):
            self._declare(limit.name, limit)
            return limit.name, limit.key
        if not isinstance(limit, str):
            raise ConfigurationError(
                f"task {task!r}: rate_limit {limit!r}: wrong type; give RateLimit(name, amount, "
                "...), or the name of a limit"
            )
        known = self.declared.setdefault(check_limit_name(limit), None)
        if isinstance(known, Concurrency):
            raise ConfigurationError(
                f"task {task!r}: rate_limit {limit!r}: declared as {known!r}, which is no rate; "
                "give one of them another name"
            )
        return limit, None if known is None else known.key

    def _declare(self, name: str, limit: RateLimit | Concurrency) -> None:
        known = self.declared.get(name)
        if known is not None and known != limit:
            raise ConfigurationError(
                f"limit {name!r}: declared as {known!r} and as {limit!r}; "
                "make it once and use it for both"
            )
        if name in self.declared and known is None:
            # Tasks that name it have taken it for a rate, without a key.
            if isinstance(limit, Concurrency):
                raise ConfigurationError(
                    f"limit {name!r}: {limit!r} is no rate, and tasks name it as their rate_limit; "
                    "give one of them another name"
                )
            if limit.key is not None:
                raise ConfigurationError(
                    f"limit {name!r}: has the key {limit.key!r}, and tasks above it name it only; "
                    "declare it before them"
                )
        self.declared[name] = limit
