"""What stands under a keyword of a JSON schema, each of the kind that the keyword takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import overload

Schema = Mapping[str, object]


class Unfittable(ValueError):
    """No value can be made for this schema. The message says where it failed."""


def listed(schema: Schema, key: str) -> list[object]:
    """The list under a keyword; empty where there is none. Raises Unfittable for anything else."""
    value = schema.get(key, [])
    if not isinstance(value, (list, tuple)):
        raise Unfittable(f"{key} {value!r}: not a list")
    return list(value)


def named(schema: Schema, key: str) -> Schema:
    """The object under a keyword; empty where there is none. Raises Unfittable for anything else."""
    value = schema.get(key, {})
    if not isinstance(value, Mapping):
        raise Unfittable(f"{key} {value!r}: not an object")
    return value


@overload
def figure(schema: Schema, key: str, otherwise: float) -> float: ...
@overload
def figure(schema: Schema, key: str) -> float | None: ...
def figure(schema: Schema, key: str, otherwise: float | None = None) -> float | None:
    """The number under a keyword. Raises Unfittable for anything else."""
    value = schema.get(key)
    if value is not None and not isinstance(value, (int, float)):
        raise Unfittable(f"{key} {value!r}: not a number")
    return otherwise if value is None else value


def size(schema: Schema, key: str) -> int | None:
    """The count under a keyword: of characters, elements or properties. Raises Unfittable for what is no number."""
    value = figure(schema, key)
    return None if value is None else int(value)
