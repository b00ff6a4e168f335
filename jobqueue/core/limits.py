"""Limits that hold across the whole fleet: how many run at once, and how many start in a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from jobqueue.core.duration import Duration, to_seconds
from jobqueue.core.errors import ConfigurationError
from jobqueue.core.json_values import to_json

SLACK_SECONDS = 0.035
"""By how much starts under a rate may be late, as their pace allows for."""
LATEST_SECONDS = 0.02
"""How late after its moment a job under a rate is started; one that is later is given another.

The rest of the slack is for what the operating system does between this look and the first line."""
AHEAD_SECONDS = 0.15
"""How far ahead of its moment a job under a rate is let through at most."""

MOST = 1_000_000_000
SHORTEST_SECONDS = 0.1
LONGEST_SECONDS = 31_622_400.0
LONGEST_NAME = 200
MOST_AHEAD = 100_000
HEAVIEST_SHARE = 1_000
LONGEST_KEY = 200


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `amount` jobs start in any `per` seconds, whatever runs them, under one name.

    burst: how many may start in the same moment when fewer did before; never more than the amount
        in any window.
    key: the argument of the task whose values have a limit each, such as `tenant_id`.
    """

    name: str
    amount: int
    per: Duration = 1.0
    burst: int = 1
    key: str | None = None

    def __post_init__(self) -> None:
        check_limit_name(self.name)
        check_whole(self.amount, f"rate limit {self.name!r}: amount")
        check_whole(self.burst, f"rate limit {self.name!r}: burst")
        if self.burst > self.amount:
            raise ConfigurationError(
                f"rate limit {self.name!r}: burst {self.burst} is more than its amount, "
                f"{self.amount}; give at most that"
            )
        check_per(self.per, f"rate limit {self.name!r}")
        _check_key(self.key, self.name)

    def rule(self) -> dict[str, Any]:
        """Give what is kept of it in the database."""
        return {
            "name": self.name,
            "kind": "rate",
            "amount": self.amount,
            "per_seconds": check_per(self.per, self.name),
            "burst": self.burst,
        }


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `amount` jobs run at once, across the whole fleet: of each key, if there are keys.

    amount: None for any number, with fair=True.
    key: the argument of the task whose values have a limit each, such as `customer_id`.
    name: for tasks that share it; the task's own name if None.
    ordered: the next job of a key begins when the one before it has ended, retries included. The
        amount is 1 then.
    fair: keys take turns, each as many jobs as its weight.
    weights: by key; 1 for all others. ahead: how many jobs of all keys are let through before a
        worker takes them.
    """

    amount: int | None
    key: str | None = None
    name: str | None = None
    ordered: bool = False
    fair: bool = False
    weights: Mapping[str, int] | None = None
    ahead: int = 100

    def __post_init__(self) -> None:
        subject = "concurrency" if self.name is None else f"concurrency limit {self.name!r}"
        if self.name is not None:
            check_limit_name(self.name)
        if self.amount is not None:
            check_whole(self.amount, f"{subject}: amount")
        elif not self.fair:
            raise ConfigurationError(f"{subject}: no amount; give one, or fair=True")
        if self.ordered and self.amount != 1:
            raise ConfigurationError(
                f"{subject}: ordered, and {self.amount} at once; order means one: give 1"
            )
        if self.fair and self.key is None:
            raise ConfigurationError(f"{subject}: fair, but between what? give key=")
        check_whole(self.ahead, f"{subject}: ahead", most=MOST_AHEAD)
        for key, weight in (self.weights or {}).items():
            check_whole(weight, f"{subject}: weight of {key!r}", most=HEAVIEST_SHARE)
        _check_key(self.key, subject)

    def rule(self) -> dict[str, Any]:
        """Give what is kept of it in the database."""
        kept = asdict(self) | {"kind": "concurrency", "weights": dict(self.weights or {})}
        del kept["key"]
        return kept


@dataclass(frozen=True, slots=True)
class Flow:
    """The limits that a task's jobs are under.

    concurrency, rate: names of limits. concurrency_argument, rate_argument: the parameters whose
    values are the keys; None: all jobs have one.
    weight: for how many starts a job counts.
    """

    concurrency: str | None = None
    concurrency_argument: str | None = None
    rate: str | None = None
    rate_argument: str | None = None
    weight: int | None = None

    @property
    def keyed(self) -> bool:
        """Whether keys depend on the arguments."""
        return self.concurrency_argument is not None or self.rate_argument is not None

    def keys(self, values: Mapping[str, Any]) -> FlowKeys:
        """Give the keys of a job with `values`, by parameter name, as JSON has them."""
        return _key(self.concurrency_argument, values), _key(self.rate_argument, values)


FlowKeys = tuple[str, str]
"""A job's key under its concurrency limit, and that under its rate."""


def check_limit_name(name: object) -> str:
    """Give `name` back if it can be a limit's. Raises ConfigurationError."""
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or "\x00" in name:
        raise ConfigurationError(
            f"limit {name!r}: a name is text of 1 to {LONGEST_NAME} characters"
        )
    return name


def check_whole(value: object, subject: str, *, most: int = MOST) -> int:
    """Give `value` back if it is a number from 1. Raises ConfigurationError."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ConfigurationError(f"{subject} {value!r}: not a whole number from 1 to {most:,}")
    return value


def check_per(per: Duration, subject: str) -> float:
    """Give a rate's while in seconds. Raises ConfigurationError."""
    seconds = to_seconds(per, subject=f"{subject}: per")
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise ConfigurationError(
            f"{subject}: per {per!r}: not between {SHORTEST_SECONDS:g} s and 366 days"
        )
    return seconds


def _check_key(key: object, subject: str) -> None:
    if key is not None and not (isinstance(key, str) and key.isidentifier()):
        raise ConfigurationError(
            f"{subject}: key {key!r}: not the name of an argument; give the one whose values are "
            "the keys"
        )


def _key(argument: str | None, values: Mapping[str, Any]) -> str:
    """Give a key as text. '' is that of limits without keys, so an empty value has another."""
    if argument is None:
        return ""
    value = values.get(argument)
    return named_key(value) if value == "" else key_of(value)


def key_of(value: object) -> str:
    """Give the key of a value as the database has it; '' stays that of limits without keys."""
    text = value if isinstance(value, str) else to_json(value).decode()
    return named_key(text) if text else ""


def named_key(text: str) -> str:
    """Give `text` as a key. One that is long is kept by its beginning and its digest."""
    text = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if len(text) > LONGEST_KEY:
        digest = sha256(text.encode()).hexdigest()
        return f"{text[:LONGEST_KEY]}...{digest}"
    return text or "''"
