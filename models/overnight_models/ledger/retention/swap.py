"""A partition goes, or a table takes its place: in one moment, while nobody reads or writes it."""

from __future__ import annotations

from collections.abc import Sequence

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.partitions import PARTITION_ITEMS, stored_as
from overnight_models.ledger.retention.undone import undelivered
from overnight_models.ledger.rows import execute, fetch_only_value


def lock(connection: Connection, tables: Sequence[str], first: int, carried: list[int]) -> list[int]:
    """Nobody reads or writes the tables until the transaction ends. Returns the items to be carried, as of now.

    Meanwhile an outcome may be wanted again; but what is final stays final.
    """
    execute(connection, f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
    return sorted({*carried, *undelivered(connection, first)})


def replace(connection: Connection, table: str, first: int, carried: list[int]) -> None:
    """A partition goes; one with the carried rows takes its place, if there are any."""
    name, key = f"{table}_from_{first}", "id" if table == "item" else "item_id"
    if not _is_there(connection, name):
        return
    if carried:
        make(connection, table, first, f"{table}_carried_{first}")
        rows = f"INSERT INTO {table}_carried_{first} SELECT * FROM {name} WHERE {key} = ANY(:carried)"
        execute(connection, rows, carried=carried)
        put(connection, table, first, f"{table}_carried_{first}")
    else:
        execute(connection, f"DROP TABLE {name}")


def _is_there(connection: Connection, table: str) -> bool:
    return fetch_only_value(connection, bool, "SELECT to_regclass(:name) IS NOT NULL", name=table)


def make(connection: Connection, table: str, first: int, name: str) -> None:
    """A table like a partition, columns in its order, that nobody sees yet. Its bounds are checked as it is filled."""
    key = "id" if table == "item" else "item_id"
    execute(
        connection,
        f"""
        CREATE TABLE {name} (
            LIKE {table}_from_{first} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE,
            CONSTRAINT {name}_bounds CHECK ({key} >= {first} AND {key} < {first + PARTITION_ITEMS})
        ) {stored_as(table)}
        """,
    )


def put(connection: Connection, table: str, first: int, name: str) -> None:
    """A table takes the place of a partition, which goes."""
    partition = f"{table}_from_{first}"
    execute(connection, f"DROP TABLE {partition}")
    execute(connection, f"ALTER TABLE {name} RENAME TO {partition}")
    bounds = f"FROM ({first}) TO ({first + PARTITION_ITEMS})"
    execute(connection, f"ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES {bounds}")
    execute(connection, f"ALTER TABLE {partition} DROP CONSTRAINT {name}_bounds")
