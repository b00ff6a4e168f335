"""A secret is in no error, traceback or warning, wherever in a type it lies."""

from __future__ import annotations

import json
import traceback
import warnings
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypeVar

import pydantic
import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretBytes,
    SecretStr,
)
from typing_extensions import TypeAliasType, TypedDict

from jobqueue import ArgumentError, Secret, TaskError
from jobqueue.core.arguments import Signature
from jobqueue.core.outcome import InvalidArguments, describe

HUSH = "HUNTER2"
T = TypeVar("T")


class Login(BaseModel):
    user: str
    password: SecretStr


class Marked(BaseModel):
    token: Annotated[str, Secret]


class Nested(BaseModel):
    logins: list[Login]


class Node(BaseModel):
    name: str
    password: SecretStr | None = None
    children: list[Node] = []


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


class Holder(BaseModel, Generic[T]):
    value: T


@dataclass
class Account:
    user: str
    password: SecretStr = field(compare=False)


@dataclass
class Outer:
    inner: Optional[Account] = None  # noqa: UP045 - the older way of writing it must work too


@dataclass
class Ring:
    next: Ring | None = None


class Shaped(TypedDict):
    password: SecretStr


class Pair(NamedTuple):
    user: str
    password: SecretStr


class Pin(SecretStr): ...


Token = TypeAliasType("Token", Annotated[str, Secret])
Password = TypeAliasType("Password", SecretStr)
Many = TypeAliasType("Many", list[T], type_params=(T,))
Endless = TypeAliasType("Endless", "list[Endless] | SecretStr")
Harmless = TypeAliasType("Harmless", "list[Harmless] | int")
Named = NewType("Named", SecretStr)

SECRET = [
    *(Login, Marked, Nested, Node, Holder[SecretStr], Account, Outer, Shaped, Pair, Pin),
    *(Token, Password, Many[SecretStr], Endless, Named, SecretBytes, pydantic.Secret[int]),
    *(list[Login], dict[str, list[Account]], Marked | None, Login | int, list[Token] | None),
    *(Annotated[Login, Field(title="x")], tuple[int, Nested], dict[Token, int]),
]
OPEN = [Tree, Ring, Harmless, Holder[int], Literal["SecretStr"], list[Tree], Many[int], Any, str]


def taking(annotation: object):
    def function(value, note=""): ...

    function.__annotations__ = {"value": annotation, "note": str}
    return function


@pytest.mark.parametrize("annotation", SECRET, ids=str)
def test_an_argument_that_may_hold_a_secret_is_secret(annotation):
    signature = Signature("task", taking(annotation))
    assert signature.secrets == ["value"]
    with pytest.raises((ArgumentError, TaskError)) as refused:
        signature.encode({"value": {"user": [HUSH], "password": {HUSH: HUSH}, HUSH: 1}})
    assert HUSH not in shown(refused.value)


@pytest.mark.parametrize("annotation", OPEN, ids=str)
def test_one_that_holds_none_is_not(annotation):
    assert Signature("task", taking(annotation)).secrets == []


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Password, SecretStr(HUSH)),
        (list[Password], [SecretStr(HUSH)]),
        (Many[SecretStr], [SecretStr(HUSH)]),
        (Named, SecretStr(HUSH)),
        (Pin, Pin(HUSH)),
        (pydantic.Secret[int], pydantic.Secret[int](5)),
        (Token, HUSH),
        (Marked, Marked(token=HUSH)),
        (Nested, Nested(logins=[])),
        (dict[str, SecretStr | None], {"a": SecretStr(HUSH), "b": None}),
    ],
    ids=str,
)
def test_a_secret_arrives_as_it_is(annotation, value):
    signature = Signature("task", taking(annotation))
    assert signature.decode(signature.encode({"value": value}))[1] == {"value": value}


@pytest.mark.parametrize(
    "value", [Login(user="a", password=SecretStr(HUSH)), Account("a", SecretStr(HUSH))], ids=repr
)
def test_a_secret_that_its_type_writes_as_asterisks_is_refused(value):
    with pytest.raises(ArgumentError, match="writes as asterisks"):
        Signature("task", taking(type(value))).encode({"value": value})


def shown(error: BaseException) -> str:
    """Give all that a traceback shows, and what is kept with a job."""
    return "".join(traceback.format_exception(error)) + json.dumps(describe(error))


def talkative(value: str) -> str:
    raise ValueError(f"{value!r} is bad")


def unserialisable(value: object) -> str:
    raise ValueError(f"{value!r} cannot be written")


def leaky(  # noqa: PLR0917 - every way there is
    user: str,
    token: Annotated[str, Secret],
    checked: Annotated[str, Secret, AfterValidator(talkative)] = "",
    tagged: Annotated[Nested | None, Secret] = None,
    written: Annotated[Any, Secret, PlainSerializer(unserialisable)] = None,
    counted: dict[str, Annotated[int, Secret]] | None = None,
    plain: Any = None,
) -> None: ...


class Lock:
    def __repr__(self) -> str:
        return HUSH


BROKEN = Login.model_construct(user=5, password=HUSH)


@pytest.mark.parametrize(
    "more",
    [
        {"token": [HUSH]},
        {"checked": HUSH},
        {"tagged": {"logins": HUSH}},
        {"written": HUSH},
        {"counted": {HUSH: HUSH}},
        {"plain": Lock()},
        {"plain": {"a": Lock(), "b": HUSH}},
        {"plain": BROKEN},
        {"plain": {HUSH: "\ud800"}},
        {"plain": [HUSH, "\x00"]},
        {"plain": json.loads("[" * 210 + f'"{HUSH}"' + "]" * 210)},
        {"plain": [HUSH, 10**5000]},
        {"plain": [HUSH, b"x"]},
        {"tokn": HUSH},
        {"user": 5},
    ],
    ids=range(15),
)
def test_what_is_refused_is_refused_without_a_word_of_the_secret(more, capsys, recwarn):
    values = {"user": "ann", "token": HUSH, **more}
    with pytest.raises(ArgumentError) as refused, warnings.catch_warnings():
        warnings.simplefilter("always")
        Signature("task", leaky).encode(values)
    assert HUSH not in shown(refused.value)
    assert [str(one.message) for one in recwarn if HUSH in str(one.message)] == []
    assert HUSH not in capsys.readouterr().err
    # What only its own serializer refuses is not found out.
    assert refused.value.parameter == (None if "written" in more else next(iter(more)))


def test_a_secret_default_is_not_shown_with_the_signature():
    def defaulted(user: int, token: Annotated[str, Secret] = HUSH, other: SecretStr | None = None):
        """A task."""

    signature = Signature("task", defaulted)
    for call in (lambda: signature.encode({"user": "x"}), lambda: signature.bind((1,) * 9, {})):
        with pytest.raises(ArgumentError) as refused:
            call()
        assert HUSH not in shown(refused.value)
    with pytest.raises(InvalidArguments) as unfit:
        signature.decode("{}")
    assert HUSH not in shown(unfit.value)


def test_a_name_nobody_knows_may_be_a_secret_misspelt():
    def public(user: str, plain: Any = None): ...
    def rest(user: str, **more: int): ...

    for function in (public, rest):
        with pytest.raises(ArgumentError) as refused:
            Signature("task", function).encode({"user": "ann", "token": HUSH})
        assert HUSH not in shown(refused.value)
        with pytest.raises(ArgumentError) as refused:
            Signature("task", function).encode({"token": HUSH})
        assert HUSH not in shown(refused.value)


def test_what_is_known_and_no_secret_is_shown_to_the_caller():
    with pytest.raises(ArgumentError, match="got 'seven'") as refused:
        Signature("task", taking(int)).encode({"value": "seven"})
    assert "seven" in str(refused.value.__cause__)


def renamed(user: str, api_token: Annotated[str, Secret]) -> None: ...
def unmarked(user: str, **rest: int) -> None: ...
def validated(user: Annotated[str, Field(max_length=2)], token: str = "") -> None: ...
def retyped(user: str, token: int) -> None: ...
def tagged(user: str, token: Annotated[Cat | Dog, Field(discriminator="kind")]) -> None: ...


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


DEEP = "[" * 210 + f'"{HUSH}"' + "]" * 210


@pytest.mark.parametrize(
    ("function", "stored", "said"),
    [
        (renamed, '{"user": "ann", "token": "HUNTER2"}', "argument 'api_token': missing"),
        (unmarked, '{"user": "ann", "token": "HUNTER2"}', "argument 'token': .*got a string"),
        (validated, '{"user": "HUNTER2", "token": "x"}', "argument 'user': .*2 char.*a string"),
        (retyped, '{"user": "ann", "token": "HUNTER2"}', "argument 'token': .*got a string"),
        (retyped, '{"user": "ann", "token": ["HUNTER2"]}', "got an array"),
        (retyped, '{"user": "ann", "token": {"HUNTER2": 1}}', "got an object"),
        (retyped, '{"user": "ann", "token": null}', "got null"),
        (retyped, '{"user": "ann", "token": 1.5}', "got a number"),
        (retyped, '{"user": true, "token": 1}', "argument 'user': .*got a boolean"),
        (tagged, '{"user": "ann", "token": {"kind": "HUNTER2"}}', "argument 'token'"),
        (retyped, f'{{"user": "ann", "token": {DEEP}}}', "arguments: invalid JSON: recursion"),
        (retyped, f'{{"user": "HUNTER2", "token": 1{"0" * 5000}}}', "arguments: invalid JSON"),
    ],
    ids=range(12),
)
def test_stored_arguments_that_do_not_fit_are_described_without_a_value(function, stored, said):
    with pytest.raises(InvalidArguments, match=said) as refused:
        Signature("task", function).decode(stored)
    assert HUSH not in shown(refused.value)
    assert refused.value.__cause__ is None


def test_a_validator_of_ones_own_still_has_its_say():
    def positive(value: Annotated[int, BeforeValidator(talkative)]): ...

    with pytest.raises(ArgumentError, match="'x' is bad"):
        Signature("task", positive).encode({"value": "x"})


def test_deep_data_without_secrets_is_described_without_it_too():
    with pytest.raises(ArgumentError) as refused:
        Signature("task", taking(Any)).encode({"value": json.loads(DEEP)})
    assert (refused.value.parameter, HUSH in shown(refused.value)) == ("value", False)
