"""Reading the ledger for Flower: in a thread of its own, for all who look at once, and at most once a second."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from overnight_models.errors import OvernightError
from overnight_models.ledger import overview
from overnight_models.ledger.database import Database, run
from overnight_models.ledger.overview import BatchView, DeadDelivery, LaneView, TurnaroundView
from overnight_models.ledger.workspaces import WorkspaceState, workspaces
from overnight_models.states import BATCH

MOST_UNFINISHED: Final = 200
MOST_FINISHED: Final = 12
_FRESH_S: Final = 1.0


@dataclass(frozen=True)
class Sight:
    """The ledger at one moment, in one transaction."""

    at: datetime
    lanes: tuple[LaneView, ...]
    unfinished: tuple[BatchView, ...]
    finished: tuple[BatchView, ...]
    workspaces: tuple[WorkspaceState, ...]
    turnarounds: dict[str, TurnaroundView]
    """By lane; a lane without history isn't in it."""
    dead: tuple[DeadDelivery, ...]


@dataclass(frozen=True)
class Look:
    """What a look at the ledger found."""

    sight: Sight | None
    """The newest that could be read; None when nothing could be read yet."""
    fault: str | None
    """Why there is no newer one."""


class Reader:
    """Looks at the ledger on request. Belongs to one event loop, and never blocks it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._latest = Look(None, "the ledger hasn't been read yet")
        self._looked_at = float("-inf")
        self._looking: asyncio.Future[Look] | None = None

    @property
    def latest(self) -> Look:
        """The last look, whenever that was."""
        return self._latest

    async def look(self) -> Look:
        """A look that is at most a second old. Never raises: a fault is part of it."""
        if time.monotonic() - self._looked_at < _FRESH_S:
            return self._latest
        if self._looking is None:
            loop = asyncio.get_running_loop()
            self._looking = loop.run_in_executor(self._thread, self._read)
            self._looking.add_done_callback(self._keep)
        # shielded: one reader who goes away takes the answer from no other
        return await asyncio.shield(self._looking)

    def close(self) -> None:
        """Let the thread and the connections go."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._database.close()

    def _keep(self, done: asyncio.Future[Look]) -> None:
        self._looking = None
        if not done.cancelled() and done.exception() is None:
            self._latest = done.result()
            self._looked_at = time.monotonic()

    def _read(self) -> Look:
        try:
            return Look(sight(self._database), None)
        except ProgrammingError:
            return Look(self._latest.sight, "the database has no ledger, or one of another version: overnight migrate")
        except (OvernightError, SQLAlchemyError) as error:
            return Look(self._latest.sight, " ".join(str(error).split()))


def sight(database: Database) -> Sight:
    """Read everything that the page shows. Raises DatabaseUnavailable; ProgrammingError without a schema."""
    unfinished = BATCH.unfinished
    with database.transaction() as connection:
        # all of it at one moment: what moves meanwhile isn't seen in two places
        run(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return Sight(
            at=datetime.now(UTC),
            lanes=tuple(overview.lanes(connection)),
            unfinished=tuple(overview.batches(connection, states=unfinished, limit=MOST_UNFINISHED)),
            finished=tuple(overview.batches(connection, states=sorted(BATCH.final), limit=MOST_FINISHED)),
            workspaces=tuple(workspaces(connection)),
            turnarounds={found.lane: found for found in overview.turnarounds(connection)},
            dead=tuple(overview.dead_deliveries(connection)),
        )
