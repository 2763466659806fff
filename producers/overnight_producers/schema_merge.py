"""Merging: two JSON schemas that both hold (`allOf`), as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

_STRICTER: Final[dict[str, Callable[..., object]]] = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}
_OF_THE_FIRST: Final = frozenset({"title", "default", "description", "examples", "additionalProperties", "$defs"})


class Unmergeable(ValueError):
    """Both say something about the same, and it can't be said as one. The message names it."""


def merged(schema: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    """One schema for what fits both. Raises Unmergeable."""
    both = {**schema, **other}
    for name in schema.keys() & other.keys():
        both[name] = _of_both(name, schema[name], other[name])
    return both


def _of_both(name: str, first: object, second: object) -> object:
    if first == second or name in _OF_THE_FIRST:
        return first
    if name == "properties" and isinstance(first, Mapping) and isinstance(second, Mapping):
        twice = {key: {"allOf": [first[key], second[key]]} for key in first.keys() & second.keys()}
        return {**first, **second, **twice}
    if name == "required" and isinstance(first, list) and isinstance(second, list):
        return first + [value for value in second if value not in first]
    if name == "allOf" and isinstance(first, list) and isinstance(second, list):
        return first + second
    if name in _STRICTER and all(isinstance(bound, (int, float)) for bound in (first, second)):
        return _STRICTER[name](first, second)
    if name in ("type", "enum"):
        options = second if isinstance(second, list) else [second]
        left = [kind for kind in (first if isinstance(first, list) else [first]) if kind in options]
        if left:
            return left[0] if name == "type" and len(left) == 1 else left
    raise Unmergeable(f"two parts disagree about `{name}`")
