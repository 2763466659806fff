"""The schema that the API gets: what the SDK would have sent, for any model, without ever failing on one."""

from __future__ import annotations

from contextlib import suppress
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
        return [shape(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: value for name, value in schema.items() if name not in ("title", "description", "default")}
    if len(kept.get("anyOf", ())) == 1:
        return shape(kept["anyOf"][0])  # a reference with a description around it
    if "enum" in kept or "const" in kept:
        kept.pop("type", None)  # the values say it
    named = {
        name: {key: shape(part) for key, part in kept.pop(name).items()}
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
    inside = [part for name in ("$defs", "properties") for part in schema.get(name, {}).values()]
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
    assert all(
        part["additionalProperties"] is False for part in whole["$defs"].values() if part.get("type") == "object"
    )


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


@given(
    st.dictionaries(st.sampled_from(["type", "properties", "items", "anyOf", "allOf", "$defs", "$ref", "not"]), JUNK)
)
def test_no_schema_however_odd_breaks_it(schema: dict[str, Any]) -> None:
    with suppress(ValueError):
        assert isinstance(for_the_api(schema), dict)


def faults_of(schema: dict[str, Any]) -> str:
    with pytest.raises(ValueError, match="can't be asked for") as caught:
        for_the_api(schema)
    return str(caught.value)


def an_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


class Labelled(BaseModel):
    labels: dict[str, str]


class Loose(BaseModel):
    extra: Any
    items: list[Any]


class Pair(BaseModel):
    pair: tuple[int, str]


@pytest.mark.parametrize(
    ("schema", "at", "instead"),
    [
        (json_schema(Labelled), "at labels:", "a list of objects with a `key` and a `value`"),
        (an_object(a={"type": "object"}), "at a:", "name its fields"),
        (an_object(a={"type": "object", "patternProperties": {"^x": {}}}), "at a:", "name its fields"),
        (json_schema(Loose), "at extra:", "say what it may be, such as `str | int | None`"),
        (json_schema(Loose), "at items[]:", "say what it may be"),
        (an_object(a={"type": "array"}), "at a[]:", "say what it may be"),
        (an_object(a={"type": "array", "items": {"anyOf": [{}, {"type": "null"}]}}), "at a[]:", "say what it may be"),
        (json_schema(Pair), "at pair:", "an object with a field for each place"),
        (an_object(a={"type": "array", "items": [{"type": "string"}]}), "at a:", "a field for each place"),
        (an_object(a={"enum": [{"b": 1}]}), "at a:", "texts, numbers, true, false and null only"),
        (an_object(a={"$ref": "other.json#/x"}), "at a:", "points to nothing inside the schema"),
        (an_object(a={"$ref": "#/$defs/gone"}), "at a:", "points to nothing inside the schema"),
        (an_object(a={"type": "text"}), "at a:", "`type` must be of array, boolean"),
        (
            {"type": "object", "properties": {}, "required": ["a"], "additionalProperties": False},
            "at the top:",
            "names",
        ),
        (an_object(a={"allOf": [{"type": "string"}, {"type": "integer"}]}), "at a:", "disagree about `type`"),
    ],
)
def test_what_can_not_be_said_to_the_api_is_refused_with_what_to_write_instead(
    schema: dict[str, Any], at: str, instead: str
) -> None:
    assert at in faults_of(schema)
    assert instead in faults_of(schema)


def test_schemas_that_merge_each_other_in_circles_are_refused_at_once() -> None:
    both = [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]
    circle = {"$ref": "#/$defs/A", "$defs": {"A": {"allOf": both}, "B": {"allOf": both[::-1]}}}
    assert "levels" in faults_of(circle)
    inner = an_object(x={"allOf": both}, y={"allOf": both})
    deep = {"$ref": "#/$defs/A", "$defs": {"A": {"allOf": [{"$ref": "#/$defs/B"}]}, "B": inner}}
    assert "levels" in faults_of(deep)


def test_every_fault_of_a_schema_is_told_at_once() -> None:
    assert faults_of(json_schema(Loose)).count("; at ") == 1


def test_a_type_list_becomes_one_option_for_each_type() -> None:
    nested = {"type": ["object", "null"], "description": "Maybe", **an_object(a={"type": "string"})} | {
        "type": ["object", "null"]
    }
    closed = an_object(a={"type": "string"}) | {"additionalProperties": False}
    assert for_the_api(an_object(n=nested))["properties"]["n"] == {
        "anyOf": [closed, {"type": "null"}],
        "description": "Maybe",
    }
    text = {"type": ["string", "integer"], "maxLength": 5, "maximum": 9}
    assert for_the_api(an_object(n=text))["properties"]["n"] == {
        "anyOf": [
            {"type": "string", "description": "{maxLength: 5}"},
            {"type": "integer", "description": "{maximum: 9}"},
        ]
    }


def test_an_enum_says_its_types_by_itself() -> None:
    schema = an_object(c={"type": ["string", "null"], "enum": ["low", "high", None]})
    assert for_the_api(schema)["properties"]["c"] == {"enum": ["low", "high", None]}


def test_definitions_of_older_drafts_and_of_inner_schemas_are_found() -> None:
    person = an_object(name={"type": "string"})
    closed = person | {"additionalProperties": False}
    older = {"$schema": "draft-07", "$ref": "#/definitions/P", "definitions": {"P": person}}
    assert for_the_api(older) == {"$ref": "#/$defs/P", "$defs": {"P": closed}}
    inner = an_object(
        a={"$ref": "#/properties/b/$defs/P"}, b={"$defs": {"P": person}, "$ref": "#/properties/b/$defs/P"}
    )
    assert for_the_api(inner)["$defs"] == {"P": closed}
    root = an_object(name={"type": "string"}, child={"anyOf": [{"$ref": "#"}, {"type": "null"}]})
    assert for_the_api(root)["$defs"]["root"]["properties"]["child"]["anyOf"][0] == {"$ref": "#/$defs/root"}


def test_two_definitions_of_one_name_stay_two() -> None:
    both = an_object(a={"$ref": "#/$defs/P"}, b={"$ref": "#/definitions/P"})
    simplified = for_the_api(both | {"$defs": {"P": {"type": "string"}}, "definitions": {"P": {"type": "integer"}}})
    assert simplified["$defs"] == {"P": {"type": "string"}, "P_2": {"type": "integer"}}


def test_a_description_beside_a_reference_is_told() -> None:
    assert for_the_api(json_schema(Whole))["properties"]["part"] == {
        "anyOf": [{"$ref": "#/$defs/Part"}],
        "description": "The part",
    }


def test_all_of_becomes_one_object() -> None:
    whole = {
        "allOf": [an_object(a={"type": "string"}), {"$ref": "#/$defs/B"}],
        "$defs": {"B": an_object(b={"type": "null"})},
    }
    assert for_the_api(whole) == an_object(a={"type": "string"}, b={"type": "null"}) | {"additionalProperties": False}


def test_what_stands_beside_options_holds_for_each() -> None:
    schema = {"type": "string", "maxLength": 9, "anyOf": [{"format": "date"}, {"minLength": 2}]}
    assert for_the_api(an_object(a=schema))["properties"]["a"]["anyOf"] == [
        {"type": "string", "format": "date", "description": "{maxLength: 9}"},
        {"type": "string", "description": "{maxLength: 9, minLength: 2}"},
    ]


def test_bounds_of_more_than_64_bits_are_told_exactly() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 10**23}}, "required": ["n"]}
    assert "maximum: 100000000000000000000000" in for_the_api(schema)["properties"]["n"]["description"]
