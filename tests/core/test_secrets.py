"""Secret arguments travel as they are and are shown nowhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr

from jobqueue import ArgumentError, Secret, TaskError
from jobqueue.core.arguments import Signature
from jobqueue.core.outcome import InvalidArguments, describe

HUSH = "hunter2-very-secret"


def login(
    user: str,
    password: SecretStr,
    token: Annotated[str, Secret] = "",
    pin: Annotated[int, Secret()] | None = None,
    key: SecretBytes | None = None,
) -> None: ...


@dataclass(frozen=True)
class Login:
    user: str
    password: SecretStr


class Account(BaseModel):
    user: str
    password: SecretStr


def in_dataclass(login: Login) -> None: ...
def in_model(account: Account) -> None: ...
def in_list(passwords: list[SecretStr]) -> None: ...
def in_dict(passwords: dict[str, SecretStr]) -> None: ...
def in_union(password: SecretStr | int | None) -> None: ...


def round_trip(function, **values: object) -> dict[str, Any]:
    signature = Signature("task", function)
    return signature.decode(signature.encode(values))[1]


def test_a_secret_arrives_with_its_real_value():
    given = {
        "user": "ann",
        "password": SecretStr(HUSH),
        "token": HUSH,
        "pin": 1234,
        "key": SecretBytes(b"key"),
    }
    assert round_trip(login, **given) == given


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (in_union, {"password": SecretStr(HUSH)}),
        (in_list, {"passwords": [SecretStr(HUSH)]}),
        (in_dict, {"passwords": {"a": SecretStr(HUSH)}}),
        (in_dataclass, {"login": Login("ann", SecretStr(HUSH))}),
        (in_model, {"account": Account(user="ann", password=SecretStr(HUSH))}),
    ],
)
def test_a_secret_within_another_type_is_never_kept_as_asterisks(function, given):
    try:
        arrived = round_trip(function, **given)
    except (ArgumentError, TaskError):
        return  # refused: the other good end
    assert arrived == given


def test_a_secret_within_another_type_makes_its_argument_secret():
    for function in (in_union, in_list, in_dict, in_dataclass, in_model):
        assert Signature("task", function).secrets != [], function


def test_the_secret_parameters_are_known_by_name():
    assert Signature("task", login).secrets == ["key", "password", "pin", "token"]
    assert Signature("task", lambda user: None).secrets == []


WRONG = [
    {"user": "ann", "password": [HUSH]},
    {"user": "ann", "password": SecretStr("x"), "token": [HUSH]},
    {"user": "ann", "password": SecretStr("x"), "pin": HUSH},
    {"user": "ann", "password": SecretStr("x"), "token": HUSH + "\x00"},
    {"user": "ann", "password": SecretStr("x"), "token": HUSH + "\ud800"},
    {"password": HUSH},
    {"user": "ann", "password": HUSH, "more": 1},
]


@pytest.mark.parametrize("values", WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_with_a_secret_is_said_without_it(values):
    with pytest.raises(ArgumentError) as refused:
        Signature("task", login).encode(values)
    assert HUSH not in str(refused.value)
    assert str(refused.value.parameter)


OLD = [
    {"user": "ann", "password": [HUSH]},
    {"user": "ann", "password": "x", "pin": HUSH},
    {"password": HUSH},
    {"user": 5, "password": HUSH, "token": HUSH},
    {"user": "ann", "password": HUSH, "more": HUSH},
]


@pytest.mark.parametrize("values", OLD[:4], ids=range(4))
def test_what_is_wrong_with_a_stored_secret_is_said_without_it(values):
    with pytest.raises(InvalidArguments) as refused:
        Signature("task", login).decode(json.dumps(values))
    assert HUSH not in str(refused.value)


@pytest.mark.parametrize("values", OLD[:4], ids=range(4))
def test_nor_is_it_in_the_traceback_that_is_kept_with_the_job(values):
    with pytest.raises(InvalidArguments) as refused:
        Signature("task", login).decode(json.dumps(values))
    assert HUSH not in json.dumps(describe(refused.value))


def test_extra_keyword_arguments_that_are_secret_are_hidden_in_errors_too():
    def call(url: str, **headers: Annotated[str, Secret]) -> None: ...

    try:
        signature = Signature("task", call)
        with pytest.raises(ArgumentError) as refused:
            signature.encode({"url": "u", "authorization": [HUSH]})
    except TaskError:
        return  # refused when registered: the other good end
    assert HUSH not in str(refused.value)
