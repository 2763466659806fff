"""Validating: an answer that fits its schema is shown to the class that the catalog declares, too.

A pydantic class may say more than a JSON Schema: validators of its own, a check of several fields together. Collect has
only the schema; the class is the team's code, so it is asked where that is: by whoever takes the steps of a run, and by
`try` and `compare`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import orjson
from pydantic import BaseModel

from overnight_models.crash_points import reach
from overnight_models.ledger import answer
from overnight_models.ledger.bodies.encryption import NoKey
from overnight_models.ledger.catalogs import invalidating
from overnight_models.ledger.documents import ItemRow
from overnight_models.wire.answer import tool_calls
from overnight_models.wire.outcome import unfit
from overnight_workers import process
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.output import output_of

_PAGE: Final = 2_000
_LONGEST: Final = 2_000
"""Characters of what is said about an answer: a validator may say anything."""
_PLAIN: Final[Mapping[str, frozenset[str]]] = {
    "model": frozenset({"cls", "config", "custom_init", "root_model", "schema"}),
    "model-fields": frozenset({"computed_fields", "fields", "model_name"}),
    "model-field": frozenset({"schema", "validation_alias", "serialization_alias"}),
    "definitions": frozenset({"definitions", "schema"}),
    "definition-ref": frozenset({"schema_ref"}),
    "default": frozenset({"default", "schema"}),
    "nullable": frozenset({"schema"}),
    "union": frozenset({"choices", "mode"}),
    "list": frozenset({"items_schema", "max_length", "min_length"}),
    "literal": frozenset({"expected"}),
    "str": frozenset({"max_length", "min_length"}),
    "int": frozenset({"ge", "gt", "le", "lt", "multiple_of"}),
    "float": frozenset({"ge", "gt", "le", "lt"}),
    "bool": frozenset(),
    "none": frozenset(),
}
"""Of pydantic's core schema, what its JSON Schema says too: kinds, with their keys."""
_SAYS_NOTHING: Final = frozenset({"type", "metadata", "ref", "serialization"})
_CONFIG: Final = frozenset({"extra_fields_behavior", "from_attributes", "frozen", "title", "use_enum_values"})


def validate(catalog: Catalog, run_name: str, *, after: int = 0) -> int:
    """Ask the class of a catalog about the answers of a run; those that it doesn't take are invalid from then on.

    after: only items above that id. Returns the last id that was looked at. Raises BadCatalog where the class isn't
    to be had, and NoKey while an answer's encryption key isn't there.
    """
    class_ = class_of(catalog)
    page_ends: int | None = after
    while class_ is not None and page_ends is not None:
        with process.database().transaction() as connection:
            page, page_ends = answer.outcomes_page(
                connection, run=run_name, lane=None, problem=None, after=page_ends, limit=_PAGE
            )
        if any(row.without_key for row in page):
            raise NoKey(f"answers of run {run_name} can't be validated before their encryption key is there")
        note_faults(class_, page)
        after = page[-1].id if page else after
        reach("answers were validated")
    return after


def class_of(catalog: Catalog) -> type[BaseModel] | None:
    """The class that has more to say about an answer than the schema that it was checked by; None without one."""
    output = output_of(catalog)
    return output if isinstance(output, type) and says_more(output) else None


def note_faults(class_: type[BaseModel], rows: Iterable[ItemRow]) -> None:
    """Items with an answer that the class doesn't take have failed from now on, and so do the rows given."""
    faulty = {row.id: (row, fault) for row in rows if (fault := _fault(class_, row)) is not None}
    if not faulty:
        return
    with process.database().transaction() as connection:
        invalidating.invalidate(connection, {item_id: fault for item_id, (_, fault) in faulty.items()})
    for row, fault in faulty.values():
        row.state, row.ok, row.problem, row.detail, row.retryable = "failed", False, "invalid_output", fault, True


def _fault(class_: type[BaseModel], row: ItemRow) -> str | None:
    """What the class says against an answer; None when it takes it, or there is none to be judged."""
    content = orjson.loads(row.message).get("content") if row.ok and row.message else None
    if content is None or tool_calls(content):
        return None
    try:
        fault = unfit(class_, content)
    except Exception as error:  # noqa: BLE001  # somebody else's validator may raise anything
        fault = f"{class_.__name__} fails: {type(error).__name__}: {error}"
    return None if fault is None else fault[:_LONGEST].encode(errors="replace").decode().replace("\0", "\ufffd")


@lru_cache(maxsize=64)
def says_more(class_: type[BaseModel]) -> bool:
    """Whether a class may refuse an answer that its JSON Schema takes. True where that isn't sure."""
    return not _is_plain(class_.__pydantic_core_schema__)


def _is_plain(part: object) -> bool:
    if isinstance(part, (list, tuple)):
        return all(_is_plain(inner) for inner in part)
    if not isinstance(part, dict):
        return True
    keys = _PLAIN.get(str(part.get("type")))
    if keys is None or part.keys() - keys - _SAYS_NOTHING or part.get("custom_init"):
        return False
    if set(part.get("config") or {}) - _CONFIG:
        return False
    inner = [part.get(name) for name in ("schema", "items_schema", "choices", "definitions", "computed_fields")]
    fields = part.get("fields") or {}
    return all(_is_plain(each) for each in (*inner, *fields.values()))
