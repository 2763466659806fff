"""Room for locks: a statement locks each partition that it may read and all its indexes, until its transaction ends.

Postgres keeps them in a table of a fixed size that all sessions share; who finds it full is refused.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.partitions import GROUPED, PARTITIONED
from overnight_models.ledger.rows import fetch_only

_OTHERS: Final = 100
"""What a transaction locks beside the partitions, at the most: whole tables, names, and their indexes."""


class LockRoom(NamedTuple):
    """How many locks there is room for, and how many may be wanted."""

    for_each: int
    """`max_locks_per_transaction`."""
    in_all: int
    """That many for each connection that Postgres allows: the size of the table."""
    of_one: int
    """What one transaction takes that reads all partitions."""
    sessions: int
    """Sessions of this database, now."""

    @property
    def at_once(self) -> int:
        """So many of such transactions find room at once."""
        return self.in_all // self.of_one

    @property
    def wanted_for_each(self) -> int:
        """A power of two for `max_locks_per_transaction` with which all of the sessions find room."""
        wanted = self.of_one * self.sessions * self.for_each // self.in_all
        return max(1024, 1 << wanted.bit_length())


_PARTITIONED: Final = ", ".join(f"to_regclass('{table}')" for table in (*PARTITIONED, *GROUPED))
LOCK_ROOM: Final = f"""
    SELECT setting.for_each, setting.for_each * (connections.n + prepared.n) AS in_all,
           {_OTHERS} + (
               SELECT count(DISTINCT inhrelid) + count(indexrelid)
               FROM pg_inherits LEFT JOIN pg_index ON indrelid = inhrelid WHERE inhparent IN ({_PARTITIONED})
           ) AS of_one,
           (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS sessions
    FROM (SELECT current_setting('max_locks_per_transaction')::bigint) AS setting (for_each),
         (SELECT current_setting('max_connections')::bigint) AS connections (n),
         (SELECT current_setting('max_prepared_transactions')::bigint) AS prepared (n)
"""
"""A `LockRoom`, also for who asks without SQLAlchemy."""


def lock_room(connection: Connection) -> LockRoom:
    """As it is now."""
    return fetch_only(connection, LockRoom, LOCK_ROOM)
