"""The probe: what a process that lives for a moment asks of the database, without SQLAlchemy, in one statement."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import psycopg

from overnight_models.ledger.database_url import read_link
from overnight_models.ledger.lock_room import LOCK_ROOM, LockRoom

_LINK: Final = {"connect_timeout": 5, "client_encoding": "utf8", "tcp_user_timeout": 5000}
_VERSIONS: Final = Path(__file__).parents[1] / "migrations" / "versions"
_STATEMENT: Final = f"""
    SELECT current_setting('server_version_num')::integer, current_setting('server_encoding') = 'UTF8',
           pg_backend_pid(), pg_is_in_recovery(), extract(epoch FROM clock_timestamp())::float8,
           (SELECT version_num FROM overnight_version), (SELECT id FROM deployment),
           (SELECT string_agg('items from ' || first_item || ': ' || waits_for, '; ' ORDER BY first_item) FROM kept),
           locks.for_each, locks.in_all, locks.of_one, locks.sessions
    FROM ({LOCK_ROOM}) AS locks
"""


@dataclass(frozen=True)
class Probed:
    """A ledger that answers."""

    server_version: str
    deployment: UUID
    now_s: float
    """The database's clock, since 1970."""
    revision: str
    waits_for: str | None
    """What keeps partitions from being dropped, where their age alone would allow it."""
    locks: LockRoom


def probe(url: str) -> Probed | None:
    """A ledger with nothing to say against it: direct, writable, in UTF-8, of the newest schema. Otherwise None.

    What then is the matter is for those to say who look longer. Raises BadSettings.
    """
    try:
        with psycopg.connect(**{**_LINK, **read_link(url)}, autocommit=True) as connection:  # type: ignore[arg-type]
            row = connection.execute(_STATEMENT).fetchone()
            own_pid = connection.info.backend_pid
    except psycopg.Error:
        return None
    if row is None:
        return None
    number, is_utf8, pid, is_replica, now_s, revision, deployment, waits_for, *locks = row
    # a pooler makes the session's number up
    if not is_utf8 or is_replica or pid != own_pid or revision != newest_revision() or deployment is None:
        return None
    version = f"{number // 10_000}.{number % 10_000}"
    return Probed(version, deployment, now_s, revision, waits_for, LockRoom(*locks))


def newest_revision() -> str:
    """The newest revision that this code knows: migrations are files that begin with their number."""
    return max(path.name[:4] for path in _VERSIONS.glob("[0-9][0-9][0-9][0-9]_*.py"))
