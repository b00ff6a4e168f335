"""No message and no traceback of ours shows a secret argument; see tests/core/test_secrets."""

from __future__ import annotations

import json
import traceback
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, Field, SecretStr

from jobqueue import ArgumentError, ConfigurationError, JobQueue, Secret
from jobqueue.core.arguments import Signature
from jobqueue.core.outcome import InvalidArguments, describe
from jobqueue.store.jobs import Enqueued
from tests.security.settings import known

HUSH = "hunter2-of-the-signature"
SHOWN = known("secrets in our own messages")


def refuse(value: str) -> str:
    raise ValueError(f"too weak: {value}")


class Account(BaseModel):
    name: str
    # Written under a name it is not read by.
    pin: str = Field(serialization_alias="PIN")


class Plain(BaseModel):
    pin: str


def default(user: int, token: Annotated[str, Secret] = HUSH) -> None: ...
def keys(tokens: Annotated[dict[str, int], Secret]) -> None: ...
def nested(tokens: Annotated[dict[str, dict[str, int]], Secret]) -> None: ...
def validated(pin: Annotated[str, AfterValidator(refuse), Secret]) -> None: ...
def account(account: Annotated[Account, Secret]) -> None: ...
def model(plain: Annotated[Plain, Secret]) -> None: ...
def union(token: Annotated[int | list[int], Secret]) -> None: ...
def literal(token: SecretStr, user: int) -> None: ...
def wide(token: Annotated[str, Secret], anything: Any = None) -> None: ...


WRONG: list[Any] = [
    pytest.param(default, {"user": "five"}, id="a default", marks=SHOWN),
    pytest.param(keys, {"tokens": {HUSH: "x"}}, id="a key of a dictionary", marks=SHOWN),
    pytest.param(nested, {"tokens": {"a": {HUSH: "x"}}}, id="a key within", marks=SHOWN),
    pytest.param(validated, {"pin": HUSH}, id="a validator's own words", marks=SHOWN),
    pytest.param(union, {"token": [HUSH]}, id="a member of a union"),
    pytest.param(literal, {"token": HUSH, "user": "five"}, id="another argument that is wrong"),
    pytest.param(literal, {"token": {HUSH: 1}, "user": 5}, id="of another shape"),
    pytest.param(literal, {"token": HUSH}, id="another argument that is missing"),
    pytest.param(wide, {"token": [HUSH], "more": HUSH}, id="one that nobody takes"),
]
WRONG_HERE: list[Any] = [
    pytest.param(
        account, {"account": Account(name="n", pin=HUSH)}, id="one not read back", marks=SHOWN,
    ),
    pytest.param(
        model, {"plain": Plain.model_construct(pin=[HUSH])}, id="not as it says", marks=SHOWN,
    ),
    pytest.param(
        wide, {"token": HUSH, "anything": 10**5_000}, id="a number beyond reading", marks=SHOWN,
    ),
    pytest.param(
        wide, {"token": HUSH, "anything": json.loads("[" * 220 + "]" * 220)}, id="lists in lists",
        marks=SHOWN,
    ),
    pytest.param(wide, {"token": HUSH * 100_000}, id="a large one"),
    pytest.param(wide, {"token": HUSH, "anything": object()}, id="another that cannot be written"),
    pytest.param(wide, {"token": f"{HUSH}\ud800"}, id="one that is no text"),
    pytest.param(wide, {"token": HUSH, "anything": SecretStr(HUSH)}, id="one not expected there"),
]  # fmt: skip


def said(action: Callable[[], object], kind: type[Exception]) -> str:
    """Give the message, and the traceback with all that is chained to it."""
    with warnings.catch_warnings(record=True) as warned, pytest.raises(kind) as refused:
        action()
    shown = "".join(traceback.format_exception(refused.value))
    warnings_too = [str(one.message) for one in warned]
    return f"{refused.value}\n{shown}\n{describe(refused.value)}\n{warnings_too}"


@pytest.mark.parametrize(("function", "values"), [*WRONG, *WRONG_HERE])
def test_an_enqueue_that_is_refused_says_why_without_it(
    function: Callable[..., None], values: dict[str, object]
) -> None:
    signature = Signature("task", function)
    assert HUSH not in said(lambda: signature.encode(values), ArgumentError)


@pytest.mark.parametrize(("function", "values"), WRONG)
def test_a_job_that_does_not_fit_its_task_says_why_without_it(
    function: Callable[..., None], values: dict[str, object]
) -> None:
    signature = Signature("task", function)
    assert HUSH not in said(lambda: signature.decode(json.dumps(values)), InvalidArguments)


@SHOWN
@pytest.mark.parametrize("rest", ["9" * 5_000, "[" * 2_000 + "]" * 2_000])
def test_a_job_from_sql_that_cannot_be_read_at_all_says_so_without_it(rest: str) -> None:
    """PostgreSQL keeps more digits and more levels than a worker reads."""
    stored = f'{{"token": "{HUSH}", "anything": {rest}}}'
    assert HUSH not in said(lambda: Signature("task", wide).decode(stored), InvalidArguments)


def test_too_many_by_position_are_counted_not_shown() -> None:
    signature = Signature("task", wide)
    for values in ((HUSH, 1, HUSH), (HUSH, 1)):
        words = said(lambda values=values: signature.bind(values, {"token": HUSH}), ArgumentError)
        assert HUSH not in words


@SHOWN
def test_a_key_that_cannot_be_kept_is_not_shown_when_it_was_made_of_a_secret() -> None:
    jobs = JobQueue()

    def key(token: str) -> str:
        return f"{token}\x00"

    @jobs.task(idempotency_key=key)
    def login(token: Annotated[str, Secret]) -> None: ...

    assert HUSH not in said(lambda: login.statement({"token": HUSH}), ConfigurationError)


def test_rows_of_many_and_of_a_bulk_load_are_named_without_it() -> None:
    jobs = JobQueue()

    @jobs.task
    def login(token: Annotated[str, Secret], user: int) -> None: ...

    rows = [{"token": HUSH, "user": 1}, {"token": HUSH, "user": "five"}]
    from jobqueue.client import bulk

    words = said(lambda: list(bulk.encoded(login, rows)), ArgumentError)
    assert "row 1" in words
    assert HUSH not in words


def test_what_a_program_may_print_of_a_task_has_no_arguments() -> None:
    jobs = JobQueue()

    @jobs.task
    def login(token: Annotated[str, Secret] = HUSH) -> None: ...

    bound = login.using(queue="other")
    for one in (jobs, login, bound, login.signature, Enqueued.__doc__, login.options):
        assert HUSH not in repr(one)
