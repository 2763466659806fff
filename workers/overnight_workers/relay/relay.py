"""A relay: one inbox table in a product's database, turn by turn.

A turn is one transaction there: rows are taken with a lock that others pass over, handed over, and deleted, when the
ledger has committed their verdicts. Whoever dies in between leaves the rows where they are, and the next one is told by
the ledger that it has them. While the inbox is full two turns run at once: the second is read and checked while the
first is written. What was taken first is written first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from overnight_models.crash_points import reach
from overnight_models.errors import BadSettings, OvernightError
from overnight_models.ledger.database import Database
from overnight_models.ledger.relays import inbox, seen
from overnight_models.ledger.relays.inbox import Waiting
from overnight_models.wire.inbox import InboxTable
from overnight_models.wire.message import bytes_of
from overnight_models.wire.verdict import VerdictDocument
from overnight_workers import process
from overnight_workers.configuration.relay_settings import RelaySettings
from overnight_workers.relay.handing_over import hand_over
from overnight_workers.relay.order import Order
from overnight_workers.telemetry import logs
from overnight_workers.telemetry.logs import brief

_MESSAGES_AT_ONCE: Final = 2_000
_ITEMS_AT_ONCE: Final = 5_000
_BYTES_AT_ONCE: Final = 10_000_000
"""Of one turn, as read; what has more goes alone."""
_TURNS_AT_ONCE: Final = 2
_LOOKS_EVERY_S: Final = 5.0
_LONGEST_PAUSE_S: Final = 10.0
"""After failures."""
_SHOWN: Final = 2_000
"""Characters of why a message was put aside."""

log = logs.get(__name__)


class _Measured:
    """Whether a turn has enough."""

    def __init__(self) -> None:
        self._messages = 0
        self._items = 0
        self._bytes = 0.0
        self.enough = False

    def is_enough(self, message: Waiting) -> bool:
        """Whether it has enough with this message too."""
        self._messages += 1
        self._items += message.item_count
        self._bytes += bytes_of(message.items, message.encoding)
        self.enough = (
            self._messages >= _MESSAGES_AT_ONCE or self._items >= _ITEMS_AT_ONCE or self._bytes >= _BYTES_AT_ONCE
        )
        return self.enough


class Relay:
    """Takes on what lies in one inbox. name: as in `[relays.NAME]`."""

    def __init__(self, name: str, settings: RelaySettings) -> None:
        self.name = name
        self._poll_every_s = settings.poll_every
        self._table: InboxTable = settings.table
        self._settings = settings
        self._link = settings.link
        self._database = self._connected()
        process.database().keep(_TURNS_AT_ONCE)
        self._order = Order()
        self._is_full = threading.Event()
        """The last turn took as much as it may, so there is more: a second turn runs beside it."""
        self._said_at = float("-inf")

    def close(self) -> None:
        """End its connections."""
        self._database.close()

    def _connected(self) -> Database:
        database = Database(self._link, name=f"overnight-relay-{self.name}"[:63])
        database.keep(_TURNS_AT_ONCE)
        return database

    def _look_for_another_url(self) -> None:
        """Where nothing goes on, the password may have been replaced, or the database is elsewhere by now."""
        try:
            link = self._settings.link
        except BadSettings as error:
            log.warning("the database's url can't be had: the one before is used", relay=self.name, why=str(error))
            return
        if link != self._link:
            before, self._link = self._database, link
            self._database = self._connected()
            before.close()

    def run(self, stop: threading.Event, say: Callable[[str], object]) -> None:
        """Turn after turn until `stop` is set; a turn that has begun is ended. What fails is tried again."""
        second = threading.Thread(target=self._run_beside, args=(stop,), name=f"relay {self.name}, beside")
        second.start()
        failures = 0
        try:
            while not stop.is_set():
                try:
                    taken = self.turn()
                    self.tell()
                    if failures:
                        say(f"relay {self.name}: it goes on")
                    failures = 0
                    pause_s = 0.0 if taken else self._poll_every_s
                except (OvernightError, SQLAlchemyError) as error:
                    pause_s = min(self._poll_every_s * 2**failures, _LONGEST_PAUSE_S)
                    failures = min(failures + 1, 10)
                    if failures == 1:
                        say(f"relay {self.name}: {brief(error)}")
                    self._tell_failure(error)
                    self._look_for_another_url()
                stop.wait(pause_s)
        finally:
            stop.set()
            self._is_full.set()  # it waits for that, and then sees that it is to end
            second.join()

    def _run_beside(self, stop: threading.Event) -> None:
        """Turns beside those of `run`, while there is more than one turn takes."""
        while self._is_full.wait() and not stop.is_set():
            try:
                self.turn()
            except (OvernightError, SQLAlchemyError) as error:
                self._is_full.clear()  # the other thread meets the same, and waits
                log.warning("nothing taken on beside", relay=self.name, why=brief(error))

    def turn(self) -> int:
        """Take on what waits, up to a bound. Returns how many messages were taken out of the inbox.

        Raises InboxUnusable, DatabaseUnavailable for either database, and other TransientErrors of the ledger.
        """
        with self._order.turn() as turn, self._database.transaction() as connection:
            measured = _Measured()
            with turn.taking():
                waiting = inbox.take(connection, self._table, measured.is_enough)
            (self._is_full.set if measured.enough else self._is_full.clear)()
            if not waiting:
                return 0
            reach("before handing over")
            verdicts = hand_over(waiting, relay=self.name, before_writing=turn.wait)
            turn.end()
            reach("after handing over")
            refused = {row: why for row, verdict in verdicts.items() if (why := _why(verdict)) is not None}
            if done := verdicts.keys() - refused.keys():
                inbox.remove(connection, self._table, done)
            if refused:
                inbox.put_aside(connection, self._table, refused)
                log.warning(
                    "messages put aside", relay=self.name, messages=len(refused), first=next(iter(refused.values()))
                )
        return len(verdicts)

    def tell(self, *, at_once: bool = False) -> None:
        """Say in the ledger how it stands, every few seconds. Raises DatabaseUnavailable for either database."""
        if not at_once and time.monotonic() - self._said_at < _LOOKS_EVERY_S:
            return
        with self._database.transaction() as connection:
            look = inbox.look(connection, self._table)
        with process.database().transaction() as connection:
            seen.note_look(connection, self.name, look)
        self._said_at = time.monotonic()

    def _tell_failure(self, error: Exception) -> None:
        """Say in the ledger that nothing goes on, where it can be told; it may be the ledger that is away."""
        log.warning("nothing taken on", relay=self.name, why=brief(error))
        try:
            with process.database().transaction() as connection:
                seen.note_failure(connection, self.name, brief(error)[:_SHOWN])
        except (OvernightError, SQLAlchemyError) as refused:
            log.warning("a failure can't be noted in the ledger", relay=self.name, why=brief(refused))


def _why(verdict: VerdictDocument) -> str | None:
    """Why a message can't be deleted; None: all of it is in the ledger."""
    faults = [
        f"item {fault['index']}{'' if fault['key'] is None else ' ' + repr(fault['key'])}: {fault['why']}"
        for fault in verdict["rejected"]
    ]
    if not faults:
        return None
    in_ledger = verdict["accepted"] + verdict["known"]
    rest = f" ({in_ledger} others of it are in)" if in_ledger else ""
    return f"{len(faults)} rejected{rest}: {'; '.join(faults)}"[:_SHOWN]
