"""Made-up values fit the schemas they are made for."""

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overnight_workers.sandbox.answers.fitting import compile_schema
from overnight_workers.sandbox.answers.keywords import Unfittable

WORDS = "Oak dining chair with a woven seat"
PRODUCT = {
    "type": "object",
    "properties": {
        "category": {"type": "string", "enum": ["chair", "table", "lamp", "sofa"]},
        "description": {"type": "string", "minLength": 20, "maxLength": 120},
        "colours": {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "uniqueItems": True, "maxItems": 3},
        "price": {"type": "number", "exclusiveMinimum": 0, "maximum": 10_000},
        "size": {"type": "object", "properties": {"w": {"type": "integer"}}, "required": ["w"]},
        "sku": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
        "note": {"type": ["string", "null"]},
    },
    "required": ["category", "description", "price", "size", "sku"],
    "additionalProperties": False,
}
SCHEMAS: dict[str, Any] = {
    "product": PRODUCT,
    "nothing said": {},
    "const": {"const": {"a": [1, None]}},
    "mixed enum": {"enum": [1, "two", None, [3], {"four": 4}]},
    "any of": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "integer", "minimum": 3, "maximum": 4}]},
    "one of with shared parts": {
        "type": "object",
        "properties": {"kind": {"type": "string"}},
        "required": ["kind"],
        "oneOf": [
            {"properties": {"kind": {"const": "a"}, "x": {"type": "integer"}}, "required": ["x"]},
            {"properties": {"kind": {"const": "b"}, "y": {"type": "boolean"}}, "required": ["y"]},
        ],
    },
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "string"}}, "required": ["b"]},
        ]
    },
    "refs": {
        "$defs": {"money": {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}},
        "type": "object",
        "properties": {"net": {"$ref": "#/$defs/money"}, "gross": {"$ref": "#/$defs/money", "description": "all in"}},
        "required": ["net", "gross"],
    },
    "a tree": {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                },
                "required": ["name", "children", "next"],
            }
        },
        "$ref": "#/$defs/node",
    },
    "refers to its root": {"type": "object", "properties": {"again": {"$ref": "#"}, "n": {"type": "integer"}}},
    "formats": {
        "type": "object",
        "properties": {
            name: {"type": "string", "format": name}
            for name in ["date-time", "date", "time", "email", "uri", "uuid", "ipv4", "ipv6", "hostname", "duration"]
        },
        "minProperties": 10,
    },
    "numbers": {
        "type": "array",
        "prefixItems": [
            {"type": "integer", "multipleOf": 7, "minimum": 50, "maximum": 60},
            {"type": "number", "minimum": 0.25, "maximum": 0.26},
            {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
            {"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 1.001},
            {"type": "integer", "maximum": -5},
            {"type": "number", "multipleOf": 0.5, "minimum": 0.5, "maximum": 2},
        ],
        "minItems": 6,
        "maxItems": 6,
    },
    "unique strings": {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 5},
    "short strings": {"type": "array", "items": {"type": "string", "maxLength": 3}, "minItems": 2},
    "long strings": {"type": "string", "minLength": 500, "maxLength": 510},
    "more properties": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
    "required but not described": {"type": "object", "required": ["x"]},
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    "patterns": {
        "type": "array",
        "prefixItems": [
            {"type": "string", "pattern": pattern}
            for pattern in [
                r"^\d{4}-\d{2}$",
                "^(red|green)$",
                "^[a-z]+@[a-z]+\\.com$",
                "x",
                "^[^a-z]{3}$",
                r"^\w+\s\w+$",
            ]
        ],
        "minItems": 6,
    },
    "a pattern of a length": {"type": "string", "pattern": "^[a-z]+$", "minLength": 12, "maxLength": 14},
    "any of types": {"type": ["integer", "null"], "minimum": 1, "maximum": 2},
    "as pydantic writes it": {
        "$defs": {"Tone": {"enum": ["warm", "dry"], "title": "Tone", "type": "string"}},
        "properties": {
            "tone": {"$ref": "#/$defs/Tone", "default": "dry"},
            "tags": {"items": {"type": "string"}, "title": "Tags", "type": "array", "maxItems": 2},
            "score": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "null"}], "default": None},
        },
        "required": ["tone", "tags"],
        "title": "Answer",
        "type": "object",
    },
}


def assert_fits(schema: Any, value: Any) -> None:
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(value)


@pytest.mark.parametrize("name", SCHEMAS)
def test_values_fit(name: str) -> None:
    make = compile_schema(SCHEMAS[name])
    for number in range(100):
        value = make(number * 7919, WORDS)
        assert_fits(SCHEMAS[name], value)
        assert json.loads(json.dumps(value)) == value
        assert make(number * 7919, WORDS) == value


def test_items_differ_and_say_what_they_are_about() -> None:
    make = compile_schema(PRODUCT)
    values: list[Any] = [make(number * 7919, WORDS) for number in range(100)]
    assert {value["category"] for value in values} == {"chair", "table", "lamp", "sofa"}
    assert values[0]["description"] == f"Made-up sandbox answer about: {WORDS}"


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"enum": []},
        {"type": "integer", "minimum": 2, "maximum": 1},
        {"type": "colour"},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "https://example.com/other.json"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
    ],
)
def test_what_nothing_fits_is_said(schema: Any) -> None:
    with pytest.raises(Unfittable):
        compile_schema(schema)(1, WORDS)


def _bounded(kind: str, low: str, high: str, limit: int) -> st.SearchStrategy[Any]:
    bounds = st.tuples(st.integers(0, limit), st.integers(0, limit)).map(sorted)
    return bounds.map(lambda pair: {"type": kind, low: pair[0], high: pair[1]})


LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([{"type": "string"}, {"type": "boolean"}, {"type": "null"}, {"type": "number"}, {}]),
    st.sampled_from([{"type": "string", "format": "date"}, {"type": ["integer", "null"]}, {"const": 3}]),
    st.lists(st.one_of(st.integers(), st.text(max_size=5), st.none()), min_size=1, max_size=4).map(
        lambda values: {"enum": values}
    ),
    _bounded("string", "minLength", "maxLength", 200),
    _bounded("integer", "minimum", "maximum", 1000),
    _bounded("number", "minimum", "maximum", 1000),
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(st.text(min_size=1, max_size=6), inner, max_size=4)
    objects = properties.flatmap(
        lambda value: st.lists(st.sampled_from(sorted(value) or ["x"]), unique=True, max_size=3).map(
            lambda required: {
                "type": "object",
                "properties": value,
                "required": required if value else [],
                "additionalProperties": False,
            }
        )
    )
    arrays = st.tuples(inner, st.integers(0, 3), st.integers(0, 4)).map(
        lambda parts: {"type": "array", "items": parts[0], "minItems": parts[1], "maxItems": parts[1] + parts[2]}
    )
    return st.one_of(objects, arrays, st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=st.recursive(LEAVES, _nested, max_leaves=8), number=st.integers(0, 2**32 - 1))
def test_values_fit_whatever_the_schema(schema: Any, number: int) -> None:
    assert_fits(schema, compile_schema(schema)(number, WORDS))
