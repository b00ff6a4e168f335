"""Taking what is secret out of an event before it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Any, cast

from jobqueue.client.context import current_attempt
from jobqueue.core.hiding import hide, secret_texts
from jobqueue.core.secrets import HIDDEN

Rule = Callable[[str, Any], Any]
"""Gives what is shown of a field, by its name and value: at any depth, the outermost first."""

USUAL_NAMES = (
    "password", "*_password", "passwd", "secret", "*_secret", "token", "*_token", "api_key",
    "*_api_key", "apikey", "authorization", "cookie", "set-cookie", "private_key",
)  # fmt: skip
"""Names of fields that are hidden without being asked."""

# What the worker says itself, and nothing else could be in it.
OWN = frozenset({
    "timestamp", "level", "logger", "process", "pid", "job_id", "task", "queue", "attempt",
    "max_attempts", "outcome", "duration_seconds", "retry_in_seconds", "sampled", "dropped",
})  # fmt: skip
# Texts in which a secret argument may turn up.
TEXTS = ("event", "error_message", "traceback")
DEEPEST = 20


class Redaction:
    """What is hidden: by name, by a rule of the user's, and the secret arguments of tasks.

    names: with `*` as a wildcard, in any case.
    secrets: of each task the names of the parameters that are secret.
    A rule that raises hides everything that rules are for; the line is written all the same.
    """

    def __init__(
        self,
        names: Iterable[str] = (),
        rule: Rule | None = None,
        secrets: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        patterns = [translate(name) for name in (*USUAL_NAMES, *names)]
        matches = re.compile("|".join(patterns), re.IGNORECASE).match

        @lru_cache(4096)
        def is_secret(name: str) -> bool:
            return matches(name) is not None

        self._is_secret = is_secret
        self._rule = rule
        self._secrets = {task: names for task, names in (secrets or {}).items() if names}

    def apply(self, event: dict[str, Any]) -> dict[str, Any]:
        """Give the event with what is secret hidden. Raises nothing."""
        try:
            return self._redacted(event)
        except Exception as error:  # noqa: BLE001 - a rule is user code, and values are too
            shown = {name: event[name] if name in OWN else HIDDEN for name in event}
            return shown | {"redaction_error": type(error).__name__}

    def _redacted(self, event: dict[str, Any]) -> dict[str, Any]:
        shown = {
            name: value if name in OWN or name in TEXTS else self._value(name, value, DEEPEST)
            for name, value in event.items()
        }
        secrets = self._texts()
        for name in TEXTS:
            if isinstance(text := shown.get(name), str):
                text = hide(text, secrets) if secrets else text
                shown[name] = text if self._rule is None else self._rule(name, text)
        return shown

    def _value(self, name: str, value: Any, depth: int) -> Any:  # noqa: ANN401 - whatever was logged
        if self._is_secret(name):
            return HIDDEN
        if self._rule is not None:
            value = self._rule(name, value)
        return self._inside(name, value, depth)

    def _inside(self, name: str, value: Any, depth: int) -> Any:  # noqa: ANN401 - the same
        if isinstance(value, dict | list | tuple | set | frozenset) and depth == 0:
            return HIDDEN  # who nests so deep is not looked after
        if isinstance(value, dict):
            items = cast("dict[Any, Any]", value).items()
            return {str(key): self._value(str(key), one, depth - 1) for key, one in items}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._inside(name, one, depth - 1) for one in cast("Iterable[Any]", value)]
        return value

    def _texts(self) -> tuple[str, ...]:
        """Give the values of secret arguments of the job that runs here."""
        if not self._secrets:
            return ()
        attempt = current_attempt.get(None)
        names = self._secrets.get(attempt.job.task) if attempt is not None else None
        if attempt is None or not names:
            return ()
        return secret_texts(attempt.job.args, names)
