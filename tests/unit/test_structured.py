"""The schema that the API gets: what the SDK would have sent, for any model, without ever failing on one."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, RootModel

from overnight_producers.structured import for_the_api, json_schema

KEYWORDS = {
    "$defs", "$ref", "additionalProperties", "allOf", "anyOf", "const", "default", "description", "enum", "format",
    "items", "minItems", "properties", "required", "title", "type",
}  # fmt: skip
"""All that the API's structured output takes."""


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    name: str = Field(min_length=1, max_length=10, description="What it is called")
    price: float | None = Field(default=None, ge=0)


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    parts: list[Part] = Field(min_length=1, max_length=5)
    two: list[int] = Field(min_length=2)
    colour: Colour
    when: datetime
    day: date | None
    id: UUID
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    part: Part = Field(description="The part")
    tags: set[str]
    pattern: str = Field(pattern="^a")
    odd: int = Field(multiple_of=3, gt=0, lt=100)
    path: Annotated[str, Field(json_schema_extra={"format": "path"})]


class Listing(RootModel[list[Part]]):
    pass


MODELS = [Part, Tree, Cat, Whole, Listing]


def shape(schema: Any) -> Any:
    """What a schema demands, without the words around it."""
    if isinstance(schema, list):
        return [shape(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: value for name, value in schema.items() if name not in ("title", "description", "default")}
    if "enum" in kept or "const" in kept:
        kept.pop("type", None)  # the values say it
    named = {
        name: {key: shape(one) for key, one in kept.pop(name).items()}
        for name in ("$defs", "properties")
        if name in kept
    }
    return {name: shape(value) for name, value in kept.items()} | named


def keywords(schema: Any) -> set[str]:
    """Every keyword used anywhere."""
    if isinstance(schema, list):
        return set().union(*map(keywords, schema))
    if not isinstance(schema, dict):
        return set()
    inside = [one for name in ("$defs", "properties") for one in schema.get(name, {}).values()]
    inside += [
        value for name, value in schema.items() if name not in ("$defs", "properties", "enum", "const", "default")
    ]
    return set(schema).union(*map(keywords, inside))


@pytest.mark.parametrize("model", MODELS)
def test_it_demands_what_the_sdks_would(model: type[BaseModel]) -> None:
    assert shape(for_the_api(json_schema(model))) == shape(anthropic.transform_schema(model))


@pytest.mark.parametrize("model", MODELS)
def test_it_has_only_what_the_api_takes(model: type[BaseModel]) -> None:
    assert keywords(for_the_api(json_schema(model))) <= KEYWORDS


def test_what_the_api_does_not_enforce_is_told_to_the_model() -> None:
    name = for_the_api(json_schema(Part))["properties"]["name"]
    assert name["description"] == "What it is called\n\n{maxLength: 10, minLength: 1}"
    assert "minLength" not in name
    assert "{pattern: ^a}" in for_the_api(json_schema(Whole))["properties"]["pattern"]["description"]


def test_every_object_is_closed() -> None:
    whole = for_the_api(json_schema(Whole))
    assert whole["additionalProperties"] is False
    assert all(one["additionalProperties"] is False for one in whole["$defs"].values() if one.get("type") == "object")


def test_a_property_may_be_named_like_a_keyword() -> None:
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in ("pattern", "items", "anyOf")}}
    assert for_the_api(schema)["properties"] == schema["properties"]


def test_the_schema_that_answers_are_checked_against_stays_whole() -> None:
    given = json_schema(Part)
    before = json_schema(Part)
    for_the_api(given)
    assert given == before == Part.model_json_schema()
    assert given["properties"]["name"]["minLength"] == 1


@pytest.mark.parametrize("bad", ["x", 5, int, None, [1]])
def test_anything_else_is_no_schema(bad: Any) -> None:
    with pytest.raises(TypeError, match="must be a pydantic model or a JSON schema"):
        json_schema(bad)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "properties", "$defs", "items", "anyOf", "allOf", "oneOf", "minItems", "format", "x"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["type", "properties", "items", "anyOf", "allOf", "$defs", "not"]), JUNK))
def test_no_schema_however_odd_breaks_it(schema: dict[str, Any]) -> None:
    assert isinstance(for_the_api(schema), dict)
