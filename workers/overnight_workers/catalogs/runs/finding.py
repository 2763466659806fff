"""A run by its name."""

from __future__ import annotations

from overnight_models.errors import PermanentError
from overnight_models.ledger.catalogs import runs as ledger
from overnight_models.ledger.catalogs.runs import Run
from overnight_models.ledger.operators import known_names
from overnight_workers import process


def find(name: str) -> Run:
    """The run of that name; of a catalog's name alone its latest. Raises PermanentError, which says which there are."""
    catalog, _, number = name.rpartition("-")
    with process.database().transaction() as connection:
        if catalog and number.isdecimal():
            chosen = ledger.runs(connection, catalog=catalog, number=int(number), limit=1)
        else:
            chosen = ledger.runs(connection, catalog=name, limit=1)
        latest = chosen or ledger.runs(connection, limit=5)
        has_items = not chosen and known_names.unknown_run(connection, name) is None
    if chosen:
        return chosen[0]
    if has_items:
        raise PermanentError(
            f"{name!r} is no catalog's run, but a name that items were enqueued with: `overnight items --run {name}`"
            " and `overnight costs --by run` show them"
        )
    there = f"the latest are {', '.join(run.name for run in latest)}" if latest else "no catalog was ever run"
    raise PermanentError(f"there is no run {name!r}: {there}")
