"""Constraints that a schema's description tells the model, read back, as a model would read them.

The API enforces no lengths, ranges or patterns: clients write them at the end of a description, in a
paragraph of their own: `{minimum: 1, maximum: 5}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

_TOLD = re.compile(r"(?:^|\n)\{(\w+: [^\n]*)\}\s*$")
_BETWEEN = re.compile(r"(?:^|, )(\w+): ")
_INSIDE = ("items", "additionalProperties")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_NAMED = ("properties", "$defs", "definitions")


def _flag(text: str) -> bool:
    return text.lower() == "true"


_READ: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(("pattern", "format"), str),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), int),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), orjson.loads),
    "uniqueItems": _flag,
}


def with_told(schema: Any) -> Any:
    """The schema with what its descriptions tell; the given one is left as it is."""
    if not isinstance(schema, Mapping):
        return schema
    whole = _told(schema.get("description")) | dict(schema)
    for name in _NAMED:
        if isinstance(whole.get(name), Mapping):
            whole[name] = {key: with_told(part) for key, part in whole[name].items()}
    for name in _LISTS:
        if isinstance(whole.get(name), list):
            whole[name] = [with_told(part) for part in whole[name]]
    for name in _INSIDE:
        if name in whole:
            whole[name] = with_told(whole[name])
    return whole


def _told(description: object) -> dict[str, object]:
    words = _TOLD.search(description) if isinstance(description, str) else None
    if words is None:
        return {}
    pieces = _BETWEEN.split(words.group(1))[1:]
    constraints = {}
    for keyword, text in zip(pieces[::2], pieces[1::2], strict=True):
        try:
            if keyword in _READ:
                constraints[keyword] = _READ[keyword](text)
        except ValueError:
            continue  # no constraint, but words
    return constraints
