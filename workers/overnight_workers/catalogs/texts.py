"""How a value becomes text: one rule for `{{ … }}`, `~`, `join`, `format` and every filter that takes a text.

What Python makes of a list is for programmers: `[Decimal('1.10'), Undefined, None]` has a hole that no fault tells of
(findings/jinja-strict-prints-undefined-within-a-list.sh). Here a list is JSON, and what isn't there refuses the row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from jinja2 import Undefined

from overnight_workers.catalogs import bounds, cells
from overnight_workers.catalogs.faults import BadRow

_PARTED: Final = (list, tuple, dict)


class Null:
    """A cell without a value: false, equal to none, and a fault wherever it would become text."""

    __slots__ = ("column",)

    def __init__(self, column: str) -> None:
        self.column = column

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Null)

    def __hash__(self) -> int:
        return hash(None)

    def __str__(self) -> str:
        raise BadRow(
            f"{self.column} is null: say in the template what to write then, such as"
            f' {{{{ {self.column} or "unknown" }}}}',
            column=self.column,
        )

    __repr__ = __iter__ = __len__ = __format__ = __str__  # type: ignore[assignment]


def text_of(value: object) -> str:
    """A value as a prompt has it, never an object's name and address. Raises BadRow; UndefinedError."""
    if isinstance(value, str):
        return value
    if isinstance(value, (Undefined, Null)):
        return str(value)  # which raises
    if isinstance(value, (bool, int, float, Decimal, date)):
        return cells.text_of(value)
    if value is None:
        raise BadRow("an expression is none: say what to write then")
    if isinstance(value, _PARTED):
        return json_of(value)
    raise BadRow(f"an expression is a {type(value).__name__}, which is no text")


def part_of(value: object) -> object:
    """A value that a text is formatted with: numbers and dates stay, since they have formats of their own."""
    return text_of(value) if value is None or isinstance(value, (*_PARTED, Undefined, Null)) else value


def json_of(value: object, indent: int | None = None) -> str:
    """JSON for a model to read; a null cell is null. Raises BadRow; UndefinedError."""
    bounds.check_length(bounds.size_of(value) * max(indent or 1, 1))
    return cells.to_json(_without_nulls(value), indent=indent)


def _without_nulls(value: object) -> object:
    if isinstance(value, Null):
        return None
    if isinstance(value, Undefined):
        return str(value)  # which raises: strict
    if isinstance(value, Mapping):
        return {name: _without_nulls(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, Iterator)):
        return [_without_nulls(inner) for inner in value]
    return value
