"""Reading the ledger for Flower, beside its event loop: the overview for all who look, and what each page asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import redis
from sqlalchemy import Connection
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from overnight_models.errors import OvernightError
from overnight_models.ledger.database import Database
from overnight_models.ledger.operators import actions
from overnight_workers import process
from overnight_workers.operators.for_everybody import for_everybody
from overnight_workers.operators.snapshot import Look, take_snapshot
from overnight_workers.telemetry import logs

_FRESH_S: Final = 1.0
_AT_ONCE: Final = 3
"""Pages that ask the ledger at once; with the look beside them as many connections as the ledger allows a process."""

T = TypeVar("T")

log = logs.get(__name__)


class Reader:
    """Looks at the ledger on request, at most once a second. Belongs to one event loop, and never blocks it."""

    def __init__(self, database: Database, client: redis.Redis) -> None:
        self._database = database
        self._redis = client
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="page")
        self._latest = Look(None, "the ledger hasn't been read yet")
        self._looked_at = float("-inf")
        self._is_closing = False
        self._looking: asyncio.Future[Look] | None = None

    @property
    def database(self) -> Database:
        """The ledger, with a limit on each statement's time."""
        return self._database

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

    async def ask(self, question: Callable[[Connection], T]) -> T:
        """What a question to the ledger comes to, in a transaction that only reads. Raises as the ledger does."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._asked, question)

    def go_on(self, action_id: int) -> None:
        """Do an action's groups in the background, one after the other, until it is over or this process ends.

        The sweep goes on with what is left.
        """
        self._threads.submit(self._steps, action_id)

    def _steps(self, action_id: int) -> None:
        try:
            while not self._is_closing:
                with process.database().transaction() as connection:
                    step = actions.step(connection, action_id)
                if step is None or step.is_over:
                    return
        except (OvernightError, SQLAlchemyError) as error:
            log.warning("an action is left to the sweep", action=action_id, why=" ".join(str(error).split()))

    async def do(self, act: Callable[[], T]) -> T:
        """Something that an operator does, in a thread; by the calls that the command line uses.

        The next look is a new one: nobody should see a page without what they have just done.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, act)
        finally:
            self._looking, self._looked_at = None, float("-inf")

    def _asked(self, question: Callable[[Connection], T]) -> T:
        with self._database.snapshot() as connection:
            return question(connection)

    def close(self) -> None:
        """Let the threads and the connections go."""
        self._is_closing = True
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._database.close()

    def _keep(self, done: asyncio.Future[Look]) -> None:
        if done is not self._looking:
            return  # begun before something was done
        self._looking = None
        if not done.cancelled() and done.exception() is None:
            self._latest = done.result()
            self._looked_at = time.monotonic()

    def _read(self) -> Look:
        try:
            seen = for_everybody(take_snapshot(self._database, self._redis))
            if seen.troubles.read_only is not None:
                self._database.close()  # who only reads would stay at a primary that was replaced
            return Look(seen, None)
        except ProgrammingError:
            return Look(
                self._latest.snapshot, "the database has no ledger, or one of another version: overnight migrate"
            )
        except (OvernightError, SQLAlchemyError) as error:
            return Look(self._latest.snapshot, " ".join(str(error).split()))
