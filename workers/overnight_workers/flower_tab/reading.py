"""Reading the ledger for Flower: in a thread of its own, for all who look at once, and at most once a second."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import redis
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from overnight_models.errors import OvernightError
from overnight_models.ledger.database import Database
from overnight_models.ledger.operators import overview
from overnight_models.ledger.operators.overview import ItemView, Wanted
from overnight_workers.operators import filters
from overnight_workers.operators.snapshot import Look, take_snapshot

_FRESH_S: Final = 1.0


class Reader:
    """Looks at the ledger on request. Belongs to one event loop, and never blocks it."""

    def __init__(self, database: Database, client: redis.Redis) -> None:
        self._database = database
        self._redis = client
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

    async def items(self, wanted: Wanted, fault: str | None, limit: int) -> tuple[list[ItemView], str | None]:
        """The newest items that are wanted, with their deliveries, and why there are none. Never raises.

        fault: what is wrong with the wish already.
        """
        if fault is not None:
            return [], fault
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._items, wanted, limit)

    def _items(self, wanted: Wanted, limit: int) -> tuple[list[ItemView], str | None]:
        try:
            filters.check(
                lane=wanted.lane,
                run=wanted.run,
                batch=wanted.batch_id,
                item_state=wanted.state,
                delivery_state=wanted.delivery,
                problem=wanted.problem,
                any_problem=True,
                ledger=self._database,
            )
            with self._database.transaction() as connection:
                return list(overview.items(connection, wanted, limit, deliveries=True)), None
        except (OvernightError, SQLAlchemyError) as error:
            return [], " ".join(str(error).split())

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
            seen = take_snapshot(self._database, self._redis)
            if seen.troubles.read_only is not None:
                self._database.close()  # who only reads would stay at a primary that was replaced
            return Look(seen, None)
        except ProgrammingError:
            return Look(
                self._latest.snapshot, "the database has no ledger, or one of another version: overnight migrate"
            )
        except (OvernightError, SQLAlchemyError) as error:
            return Look(self._latest.snapshot, " ".join(str(error).split()))
