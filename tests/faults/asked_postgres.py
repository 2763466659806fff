"""An installation's Postgres, asked by a test that looks at it often."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from threading import Lock

import psycopg
from psycopg.rows import dict_row

from tests.faults.orders import Json


class AskedPostgres:
    """Statements in one session that is kept: a new one reads its catalogs for 50 ms of a processor.

    url: says where Postgres is, each time a session begins.
    """

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url
        self._session: psycopg.Connection[Json] | None = None
        self._lock = Lock()

    def rows(self, statement: str, *values: object) -> list[Json]:
        """Its rows. Where Postgres was killed, or cut the connection, it is said again in a new session.

        Raises psycopg.OperationalError where there is none.
        """
        with self._lock:
            if self._session is not None:
                with contextlib.suppress(psycopg.OperationalError):
                    return self._session.execute(statement.encode(), values).fetchall()
                self._end()
            self._session = psycopg.connect(
                self._url(), autocommit=True, row_factory=dict_row, connect_timeout=5, prepare_threshold=None
            )
            return self._session.execute(statement.encode(), values).fetchall()

    def end(self) -> None:
        """End the session. The next statement begins another."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
