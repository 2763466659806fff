"""Structured answers: what a product's model demands and the API doesn't enforce is met by the sandbox's answers."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, Field

from overnight_producers.item import Item, line_of
from tests.driving import Service, params
from tests.service.ledger import Json


class Grade(Enum):
    GOOD = "good"
    BAD = "bad"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str = Field(min_length=2, max_length=6)


class Review(BaseModel):
    stars: int = Field(ge=1, le=5, description="How good it is")
    share: float = Field(gt=0, lt=1)
    grade: Grade
    perhaps: Grade | None
    day: date
    at: datetime
    price: Decimal
    exact: Decimal = Field(ge=0, le=10, max_digits=3, decimal_places=1)
    sku: str = Field(pattern=r"^[A-Z]{3}-\d{2,4}$", description="The article")
    title: str = Field(max_length=20)
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    either: int | str
    tags: set[str] = Field(min_length=2, max_length=4)
    even: int = Field(multiple_of=2, ge=10, lt=21)
    best: Cat = Field(description="The best of them")


def line(service: Service, n: int) -> Json:
    item = Item(params=params(f"Review kettle {n}"), key=f"k{n}", output=Review)
    wire_item: Json = orjson.loads(line_of(item, redis_url=service.redis_url)[1])
    return wire_item


def test_of_2000_answers_to_a_model_with_constraints_none_is_invalid(service: Service) -> None:
    for start in range(0, 2_000, 500):
        service.accept(*(line(service, n) for n in range(start, start + 500)))
    service.finish()
    invalid = service.ledger.fetch_all("SELECT problem, detail FROM outcome WHERE NOT ok LIMIT 5")
    assert invalid == []
    answers = service.ledger.answers().values()
    assert len(answers) == 2_000
    for message in answers:
        text = "".join(block["text"] for block in orjson.loads(message)["content"] if block["type"] == "text")
        Review.model_validate_json(text)
