"""Parts of an item before it is a row: what its request begins with, its answer's schema, its request rewritten."""

from __future__ import annotations

from collections.abc import Mapping

from overnight_models import exact_json
from overnight_models.ledger.prefixes import Owner, StoredPrefix
from overnight_models.request.prefix import Prefix
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


def rewritten(params: Mapping[str, object], prefix: Prefix | None, written: bytes, size: int) -> tuple[bytes, int]:
    """Its own part of the request with the model that was chosen, and the bytes of all of it."""
    own = exact_json.dumps(params) if prefix is None else prefix.own(params)
    return own, size + len(own) - len(written)
