"""JSON Schemas in tests: whether a value fits one, and a value that does. As much of them as products ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from overnight_producers.testing import formats

Schema = Mapping[str, object]

_TYPES: Final[Mapping[str, Callable[[object], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "integer": lambda value: not isinstance(value, bool) and (isinstance(value, int) or _is_whole(value)),
}
_BOUNDS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "minimum": lambda value, bound: value >= bound,
    "maximum": lambda value, bound: value <= bound,
    "exclusiveMinimum": lambda value, bound: value > bound,
    "exclusiveMaximum": lambda value, bound: value < bound,
}
_LENGTHS: Final[Mapping[str, tuple[type, Callable[[float, float], bool]]]] = {
    "minLength": (str, _BOUNDS["minimum"]),
    "maxLength": (str, _BOUNDS["maximum"]),
    "minItems": (list, _BOUNDS["minimum"]),
    "maxItems": (list, _BOUNDS["maximum"]),
}
_DEEPEST: Final = 8


def fault(schema: object, value: object, root: Schema | None = None, at: str = "") -> str | None:
    """What of a value doesn't fit, and where; None when it fits."""
    if not isinstance(schema, Mapping):
        return None
    root = schema if root is None else root
    place = at or "the top"
    if "$ref" in schema and (wrong := fault(_target(root, str(schema["$ref"])), value, root, at)):
        return wrong
    if not _is_of_type(schema.get("type"), value):
        return f"{place}: {value!r} is no {schema['type']}"
    if "enum" in schema and value not in _list(schema["enum"]):
        return f"{place}: {value!r} is none of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        return f"{place}: {value!r} isn't {schema['const']!r}"
    for part in _list(schema.get("allOf")):
        if wrong := fault(part, value, root, at):
            return wrong
    for several in ("anyOf", "oneOf"):
        options = _list(schema.get(several))
        wrongs = [fault(option, value, root, at) for option in options]
        if options and all(wrongs):
            return wrongs[0] if len(wrongs) == 1 else f"{place}: fits no option: {'; '.join(map(str, wrongs))}"
    return _bound_fault(schema, value, place) or _part_fault(schema, value, root, at)


def _bound_fault(schema: Schema, value: object, place: str) -> str | None:
    """What of a value is too small, too large, or of another form."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        for name, holds in _BOUNDS.items():
            if isinstance(bound := schema.get(name), (int, float)) and not holds(value, bound):
                return f"{place}: {value!r} is beyond {name} {bound}"
    for name, (kind, holds) in _LENGTHS.items():
        bound = schema.get(name)
        length = len(value) if isinstance(value, (str, list)) and isinstance(value, kind) else None
        if length is not None and isinstance(bound, int) and not holds(length, bound):
            return f"{place}: its length {length} is beyond {name} {bound}"
    pattern = schema.get("pattern")
    if isinstance(value, str) and isinstance(pattern, str) and re.search(pattern, value) is None:
        return f"{place}: {value!r} doesn't match {pattern}"
    is_of = formats.CHECKS.get(str(schema.get("format")))
    if isinstance(value, str) and is_of is not None and not is_of(value):
        return f"{place}: {value!r} is no {schema['format']}"
    return None


def _part_fault(schema: Schema, value: object, root: Schema, at: str) -> str | None:
    """What of a value's own parts doesn't fit."""
    if isinstance(value, list):
        wrongs = (fault(schema.get("items"), part, root, f"{at}/{n}") for n, part in enumerate(value))
        return next(filter(None, wrongs), None)
    if not isinstance(value, dict):
        return None
    missing = [name for name in _list(schema.get("required")) if name not in value]
    if missing:
        return f"{at or 'the top'}: {missing[0]!r} is missing"
    known = _object(schema.get("properties"))
    others = schema.get("additionalProperties")
    for name, part in value.items():
        if name not in known and others is False:
            return f"{at or 'the top'}: {name!r} isn't known"
        if wrong := fault(known.get(name, others), part, root, f"{at}/{name}"):
            return wrong
    return None


def fitting(schema: object, root: Schema | None = None, name: str = "", depth: int = 0) -> object:
    """A value that fits, made of the schema: the same each time."""
    if not isinstance(schema, Mapping):
        return None
    root = schema if root is None else root
    if "$ref" in schema:
        return fitting(_target(root, str(schema["$ref"])), root, name, depth + 1)
    for word in ("const", "default"):
        if word in schema and fault(schema, schema[word], root) is None:
            return schema[word]
    if values := _list(schema.get("enum")):
        return values[0]
    options = [*_list(schema.get("anyOf")), *_list(schema.get("oneOf"))]
    if options:
        nothing = next((option for option in options if _object(option).get("type") == "null"), options[0])
        return fitting(nothing if depth > _DEEPEST else options[0], root, name, depth + 1)
    kind = schema.get("type")
    kind = next(iter(_list(kind)), kind) if not isinstance(kind, str) else kind
    return _fitting_type(str(kind), schema, root, name, depth)


def _fitting_type(kind: str, schema: Schema, root: Schema, name: str, depth: int) -> object:
    if kind == "object" or "properties" in schema:
        parts = _object(schema.get("properties"))
        required = _list(schema.get("required"))
        wanted = parts if depth <= _DEEPEST else {part: parts[part] for part in parts if part in required}
        return {part: fitting(of, root, part, depth + 1) for part, of in wanted.items()}
    if kind == "array":
        fewest = schema.get("minItems")
        number = fewest if isinstance(fewest, int) else 0 if depth > _DEEPEST else 1
        return [fitting(schema.get("items"), root, name, depth + 1) for _ in range(number)]
    if kind in ("integer", "number"):
        return _fitting_number(schema, whole=kind == "integer")
    return {"boolean": True, "null": None}.get(kind) if kind in ("boolean", "null") else _fitting_text(schema, name)


def _fitting_number(schema: Schema, *, whole: bool) -> float:
    low, high = (
        schema.get("minimum", schema.get("exclusiveMinimum")),
        schema.get("maximum", schema.get("exclusiveMaximum")),
    )
    step = 1 if whole else 0.5
    candidates = [1, 0, *([low, low + step] if isinstance(low, (int, float)) else [])]
    candidates += [high, high - step] if isinstance(high, (int, float)) else []
    fits = (value for value in candidates if _bound_fault(schema, value, "") is None)
    return next(fits, 1)


def _fitting_text(schema: Schema, name: str) -> str:
    text = formats.EXAMPLES.get(str(schema.get("format")), f"made-up {name or 'text'}")
    shortest, longest = schema.get("minLength"), schema.get("maxLength")
    if isinstance(shortest, int):
        text = text.ljust(shortest, ".")
    return text[:longest] if isinstance(longest, int) else text


def _is_of_type(kind: object, value: object) -> bool:
    kinds = [kind] if isinstance(kind, str) else _list(kind)
    known = [_TYPES[str(each)] for each in kinds if str(each) in _TYPES]
    return not known or any(holds(value) for holds in known)


def _is_whole(value: object) -> bool:
    return isinstance(value, float) and value.is_integer()


def _target(root: Schema, reference: str) -> object:
    """What a reference within the schema means; None for any other."""
    target: object = root
    for word in reference.removeprefix("#").split("/")[1:]:
        target = _object(target).get(word.replace("~1", "/").replace("~0", "~"))
    return target if reference.startswith("#") else None


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
