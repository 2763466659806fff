"""A run begins: one of a catalog at a time, and one of each nominal time of its schedule."""

from __future__ import annotations

from overnight_models.errors import PermanentError
from overnight_models.ledger.catalogs import runs as ledger
from overnight_models.ledger.catalogs.runs import Run
from overnight_workers import process
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.runs.taken import Wish


class UnderWay(PermanentError):
    """The catalog has a run that isn't over; `run` is that one."""

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(f"run {run.name} isn't over ({run.state}): {next_for(run)}")


def next_for(run: Run) -> str:
    """What a person may do about a run that isn't over."""
    if run.state == "asking":
        return f"`overnight runs approve {run.name}` lets it send, `overnight runs stop {run.name}` ends it"
    whose = f"{run.owner_name} takes its steps" if run.is_owned else "the workers go on with it"
    return f"{whose}; `overnight runs show {run.name}`"


def begin(catalog: Catalog, wish: Wish, *, nominal_at: str | None = None) -> Run:
    """Begin a run of a catalog.

    nominal_at: when its schedule wants it, by the schedule's clock.

    Raises UnderWay when it has one that isn't over, and PermanentError when there was one of that nominal time.
    """
    catalog_id = process.names().catalog(catalog.name)
    with process.database().transaction() as connection:
        run_id = ledger.begin(
            connection,
            catalog_id,
            path=str(catalog.path.resolve()),
            declaration=catalog.text,
            wish=wish.dump(),
            nominal_at=nominal_at,
        )
        latest = ledger.runs(connection, catalog=catalog.name, limit=1)
        run = None if run_id is None else ledger.read(connection, run_id)
    if run is not None:
        return run
    if latest and not latest[0].is_over:
        raise UnderWay(latest[0])
    raise PermanentError(f"catalog {catalog.name} had its run of {nominal_at}")
