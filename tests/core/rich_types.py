"""Types that people give to tasks."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel, Field
from typing_extensions import TypedDict


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass(frozen=True)
class Money:
    amount: Decimal
    currency: str = "EUR"


@dataclass(frozen=True)
class Order:
    id: UUID
    lines: list[Money]
    placed: datetime
    colour: Colour = Colour.RED
    notes: dict[str, date] = field(default_factory=dict)


@dataclass(frozen=True)
class Attachment:
    content: bytes
    weight: float = 0.0


class Address(BaseModel):
    street: str
    since: date | None = None


class Customer(BaseModel):
    name: str
    addresses: list[Address] = []
    limit: Decimal = Decimal("0.10")


class Upload(BaseModel):
    content: bytes
    weight: float = 0.0


class ByAlias(BaseModel):
    """A model of another system's JSON, as it is often written."""

    user_id: int = Field(alias="userId")


class Point(TypedDict):
    x: float
    y: float


NOON = datetime(2030, 6, 1, 12, 30, 15, 123456, tzinfo=UTC)
SOME_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
MONEY = Money(Decimal("19.90"), "CHF")
ORDER = Order(SOME_ID, [MONEY, Money(Decimal("0.1"))], NOON, Colour.BLUE, {"due": NOON.date()})
CUSTOMER = Customer(name="Ada", addresses=[Address(street="1 Main", since=NOON.date())])
