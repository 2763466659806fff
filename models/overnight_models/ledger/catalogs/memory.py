"""The memory of a catalog: what was sent of each row, as entries of 39 bytes in 256 parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.copying import driver_connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_one, fetch_only_value, fetch_value

PARTS: Final = 256
ALL: Final = range(PARTS)


@dataclass(frozen=True)
class Recipe:
    """What makes requests of rows."""

    columns: str
    """JSON: those that the prompt uses, in the order in which they are hashed."""
    prompt: bytes
    output: bytes
    model: str
    params: bytes


@dataclass(frozen=True)
class KeptRecipe(Recipe):
    """One that entries may name."""

    number: int


def catalog_id(connection: Connection, name: str) -> int | None:
    """The catalog's number; None when nothing of it was ever run."""
    return fetch_value(connection, int, "SELECT id FROM catalog WHERE name = :name", name=name)


def recipes(connection: Connection, catalog_id: int) -> list[KeptRecipe]:
    """Every recipe that a run of the catalog went by."""
    return fetch_all(
        connection,
        KeptRecipe,
        "SELECT columns, prompt, output, model, params, number FROM catalog_recipe"
        " WHERE catalog_id = :catalog_id ORDER BY number",
        catalog_id=catalog_id,
    )


def recipe_number(connection: Connection, catalog_id: int, recipe: Recipe) -> int:
    """The number of a recipe; a new one where no run went by it yet."""
    execute(connection, "SELECT FROM catalog WHERE id = :id FOR UPDATE", id=catalog_id)
    hashes = {
        "catalog_id": catalog_id,
        "columns": recipe.columns,
        "prompt": recipe.prompt,
        "output": recipe.output,
        "model": recipe.model,
        "params": recipe.params,
    }
    known = fetch_one(
        connection,
        "SELECT number FROM catalog_recipe WHERE catalog_id = :catalog_id AND columns = :columns AND prompt = :prompt"
        " AND output = :output AND model = :model AND params = :params",
        **hashes,
    )
    if known is not None:
        return int(known["number"])
    return fetch_only_value(
        connection,
        int,
        """
        INSERT INTO catalog_recipe (catalog_id, number, columns, prompt, output, model, params)
        SELECT :catalog_id, coalesce(max(number), 0) + 1, :columns, :prompt, :output, :model, :params
        FROM catalog_recipe WHERE catalog_id = :catalog_id
        RETURNING number
        """,
        **hashes,
    )


def entries(connection: Connection, catalog_id: int, parts: range = ALL) -> bytes:
    """Entries of the memory, part by part. parts: of these only, one after the other."""
    return _joined(
        connection,
        "SELECT entries FROM catalog_memory WHERE catalog_id = %s AND part BETWEEN %s AND %s ORDER BY part",
        catalog_id,
        parts,
    )


def size(connection: Connection, catalog_id: int) -> int:
    """Bytes of all entries of the memory."""
    sql = "SELECT coalesce(sum(octet_length(entries)), 0)::bigint FROM catalog_memory WHERE catalog_id = :catalog_id"
    return fetch_only_value(connection, int, sql, catalog_id=catalog_id)


def replace_entries(connection: Connection, catalog_id: int, parts: Mapping[int, bytes]) -> None:
    """Write parts of the memory. A part without entries is deleted.

    Row by row and in binary: an array of them as text takes seven times as much memory for a moment.
    """
    emptied = [part for part, given in parts.items() if not given]
    if emptied:
        execute(
            connection,
            "DELETE FROM catalog_memory WHERE catalog_id = :catalog_id AND part = ANY(:parts)",
            catalog_id=catalog_id,
            parts=emptied,
        )
    with driver_connection(connection).cursor() as cursor:
        cursor.executemany(
            "INSERT INTO catalog_memory (catalog_id, part, entries) VALUES (%s, %s, %b)"
            " ON CONFLICT (catalog_id, part) DO UPDATE SET entries = excluded.entries",
            [(catalog_id, part, given) for part, given in parts.items() if given],
        )


def planned_size(connection: Connection, run_id: int) -> int:
    """Bytes of all entries that a run was planned with."""
    sql = "SELECT coalesce(sum(octet_length(entries)), 0)::bigint FROM catalog_planned WHERE run_id = :run_id"
    return fetch_only_value(connection, int, sql, run_id=run_id)


def planned(connection: Connection, run_id: int, parts: range = ALL) -> bytes:
    """Entries that a run was planned with. parts: of these only, one after the other."""
    return _joined(
        connection,
        "SELECT entries FROM catalog_planned WHERE run_id = %s AND part BETWEEN %s AND %s ORDER BY part",
        run_id,
        parts,
    )


def _joined(connection: Connection, sql: str, of: int, parts: range) -> bytes:
    """The bytes of all rows, one after the other. In binary: as text they would be twice as long, and decoded."""
    with driver_connection(connection).cursor(binary=True) as cursor:
        cursor.execute(sql, [of, parts[0], parts[-1]])
        return b"".join(row[0] for row in cursor)


def forget_planned(connection: Connection, run_id: int) -> int:
    """A run that has ended needs its entries no more."""
    return execute(connection, "DELETE FROM catalog_planned WHERE run_id = :run_id", run_id=run_id)
