"""Structured output: the schema that is asked for, and the stricter one that the API takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

_KEPT: Final = frozenset(
    {"$ref", "type", "enum", "const", "title", "description", "required", "default", "format", "minItems"}
)
"""Keywords that the API's structured output understands as they are."""
_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)


def json_schema(output: type[BaseModel] | Mapping[str, Any]) -> dict[str, Any]:
    """The schema of what is asked for; answers are validated against this one."""
    if isinstance(output, type) and issubclass(output, BaseModel):
        return output.model_json_schema()
    if isinstance(output, Mapping):
        return dict(output)
    raise TypeError(f"`output` must be a pydantic model or a JSON schema, not {output!r}")


def for_the_api(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same schema in the form that `output_config.format` takes.

    Objects are closed; what the API doesn't enforce (lengths, ranges, patterns) moves into the description, where the
    model reads it, and is checked here when the answer is back.
    """
    strict: dict[str, Any] = {}
    told: dict[str, Any] = {}
    for keyword, value in schema.items():
        if "$ref" in schema and keyword not in ("$ref", "$defs"):
            continue  # a reference stands alone, as the SDK sends it
        if keyword in ("$defs", "properties") and isinstance(value, Mapping):
            strict[keyword] = {name: _part(part) for name, part in value.items()}
        elif keyword == "items":
            strict[keyword] = _part(value)
        elif keyword in ("anyOf", "allOf", "oneOf") and isinstance(value, list):
            strict["anyOf" if keyword == "oneOf" else keyword] = [_part(part) for part in value]
        elif keyword == "additionalProperties":
            continue
        elif (
            keyword not in _KEPT
            or (keyword == "format" and str(value) not in _FORMATS)
            or (keyword == "minItems" and value not in (0, 1))
        ):
            told[keyword] = value
        else:
            strict[keyword] = value
    if strict.get("type") == "object":
        strict["additionalProperties"] = False
    if told:
        words = ", ".join(f"{keyword}: {value}" for keyword, value in told.items())
        strict["description"] = "\n\n".join(filter(None, [strict.get("description"), f"{{{words}}}"]))
    return strict


def _part(schema: Any) -> Any:
    """A schema inside another; `true`, `false` and what is no schema at all stay for the API to judge."""
    return for_the_api(schema) if isinstance(schema, Mapping) else schema
