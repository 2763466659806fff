"""Parts of an item that are looked up before it is a row: what its request begins with, and its answer's schema."""

from __future__ import annotations

from overnight_models import exact_json
from overnight_models.ledger.prefixes import Owner, StoredPrefix
from overnight_models.wire.message import ItemLine
from overnight_workers import process
from overnight_workers.stages import output_schema


class TurnedDown(Exception):
    """Why an item can't be written; it alone, the others of its message are."""


def prefix_of(item: ItemLine, owner: Owner | None) -> StoredPrefix | None:
    """What its request begins with; None when it is whole. owner: its lane, if that encrypts. Raises TurnedDown."""
    if item.get("prefix") is None:
        return None
    try:
        prefix = process.prefixes().find(item["prefix"], owner)
    except (ValueError, TypeError) as error:
        raise TurnedDown(str(error)) from error
    if prefix is None:
        raise TurnedDown("its prefix isn't in Redis any more: enqueue it again")
    return prefix


def output_schema_of(item: ItemLine) -> str | None:
    """The schema that its answer must fit, as JSON. Raises TurnedDown."""
    schema = item.get("output") or output_schema.asked(item["params"])
    if schema is None:
        return None
    output = exact_json.dumps(schema).decode()
    unusable = output_schema.fault(output)
    if unusable is not None:
        raise TurnedDown(unusable)
    return output
