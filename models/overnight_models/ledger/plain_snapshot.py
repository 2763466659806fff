"""A snapshot of the ledger for a process that lives for a moment: `Database.snapshot`, without SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg

from overnight_models.errors import TransientError
from overnight_models.ledger.connection import PlainConnection
from overnight_models.ledger.database_url import read_link
from overnight_models.ledger.session_settings import LINK, SETTINGS, options


class NotReadSimply(TransientError):
    """It can't be read like this: `Database` can, or says why not."""


@contextmanager
def plain_snapshot(url: str, carried: Mapping[str, object]) -> Iterator[PlainConnection]:
    """One transaction that only reads, and sees everything as it was at one moment. Raises NotReadSimply, BadSettings.

    url, carried: as `Database` takes its URL and its options.
    """
    link = read_link(url)
    session_options = options(SETTINGS, link.pop("options", ""))
    try:
        with psycopg.connect(**{**LINK, **link}, options=session_options, prepare_threshold=None) as driver:  # type: ignore[arg-type]
            driver.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            driver.read_only = True
            yield PlainConnection(driver, carried)
    except psycopg.Error as error:
        raise NotReadSimply("Postgres doesn't answer like this") from error
