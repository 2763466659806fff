"""What the API says about the schema of an answer that it can't keep: `output_config.format.schema`."""

from __future__ import annotations

from collections.abc import Mapping

_UNSUPPORTED = {
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength"),
    "array": ("prefixItems", "maxItems", "uniqueItems", "contains"),
    "object": ("patternProperties", "propertyNames", "minProperties", "maxProperties"),
}
_INSIDE = ("properties", "$defs", "definitions")
_WHERE = "output_config.format.schema"


def problem_of(schema: object) -> str | None:
    """The first thing that the API doesn't take, as it would put it."""
    if not isinstance(schema, Mapping):
        return f"{_WHERE}: Input should be a valid dictionary or object"
    declared = schema.get("type")
    types = declared if isinstance(declared, list) else [declared]
    if "object" in types and schema.get("additionalProperties") is not False:
        return f"{_WHERE}: For 'object' type, 'additionalProperties' must be explicitly set to false"
    if isinstance(declared, list) and "enum" in schema:
        return f"{_WHERE}: Enum value {schema['enum'][:1]} does not match declared type '{declared}'"
    for type_ in types:
        known = "number" if type_ == "integer" else type_
        bad = sorted(schema.keys() & set(_UNSUPPORTED.get(known, ()))) if isinstance(known, str) else []
        if bad:
            return f"{_WHERE}: For '{type_}' type, properties {', '.join(bad)} are not supported"
    if schema.get("minItems", 0) not in (0, 1):
        return f"{_WHERE}: For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    if not schema.keys() & {"type", "enum", "const", "$ref", "anyOf", "allOf", "oneOf"}:
        return f"{_WHERE}: Schema type is missing"
    return next((words for part in _parts(schema) if (words := problem_of(part)) is not None), None)


def _parts(schema: Mapping[str, object]) -> list[object]:
    by_name = [schema.get(name) for name in _INSIDE]
    lists = [schema.get(name) for name in ("anyOf", "allOf", "oneOf")]
    parts = [part for inner in by_name if isinstance(inner, Mapping) for part in inner.values()]
    parts += [part for inner in lists if isinstance(inner, list) for part in inner]
    return [*parts, schema["items"]] if "items" in schema else parts
