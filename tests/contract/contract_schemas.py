"""Messages held to the published schemas, inside their texts too; strictly: no field that a schema doesn't name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from overnight_models.wire.schemas import DIALECT, Schema, schema

Json = dict[str, Any]


def errors(name: str, document: object) -> list[str]:
    """What is wrong with a message by the published schema, and by what its texts are said to hold."""
    whole = schema(name)
    return list(_errors(whole, whole["$defs"], document))


def strict_errors(name: str, document: object) -> list[str]:
    """The same, and each field that no schema names."""
    whole = schema(name)
    kinds = {kind: _closed(definition) for kind, definition in _kinds(whole).items()}
    return list(_errors(whole | {"$defs": kinds}, kinds, document))


def _kinds(whole: Schema) -> dict[str, Json]:
    kinds = whole["$defs"]
    assert isinstance(kinds, dict)
    return kinds


def _closed(definition: Json) -> Json:
    """A type that takes no field that it doesn't name; what is added beside it, as a claim, counts."""
    return definition | {"additionalProperties": False}


def _errors(part: object, kinds: object, document: object) -> Iterator[str]:
    assert isinstance(part, dict)
    checked = part | {"$schema": DIALECT, "$defs": kinds}
    checked.pop("$id", None)
    validator = jsonschema_rs.validator_for(checked, validate_formats=True)
    yield from (f"{error.instance_path}: {error.message}" for error in validator.iter_errors(document))
    yield from _inside(part, kinds, document)


def _inside(part: object, kinds: object, document: object) -> Iterator[str]:
    """What is wrong in texts that are JSON in their turn."""
    if not isinstance(part, dict):
        return
    assert isinstance(kinds, dict)
    if isinstance(named := part.get("$ref"), str):
        yield from _inside(kinds[named.rpartition("/")[2]], kinds, document)
    for option in part.get("allOf", ()):
        yield from _inside(option, kinds, document)
    if "contentSchema" in part and isinstance(document, str):
        texts = document.splitlines() if part["contentMediaType"].endswith("jsonl") else [document]
        for text in texts:
            yield from _errors(part["contentSchema"], kinds, json.loads(text))
    if isinstance(document, dict):
        for name, field in part.get("properties", {}).items():
            if name in document and (name != "items" or not document.get("encoding")):
                yield from _inside(field, kinds, document[name])
    if isinstance(document, list):
        for field, value in zip(part.get("prefixItems", ()), document, strict=False):
            yield from _inside(field, kinds, value)
        if isinstance(each := part.get("items"), dict):
            for value in document:
                yield from _inside(each, kinds, value)
