"""Connecting to Postgres: directly, or through a pooler such as PgBouncer.

Directly, our settings are told when a session starts. A pooler refuses or drops them there, and in transaction mode
each transaction may run in another session. So through any pooler they are told at the beginning of each transaction,
and statements aren't prepared. What needs a session of its own is only the lock of `ledger.presence`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from overnight_models.errors import PermanentError
from overnight_models.ledger.copying import driver_connection
from overnight_models.ledger.database_url import read_database_url

_LINK: Final[dict[str, object]] = {
    "connect_timeout": 5,
    "client_encoding": "utf8",
    # a router that drops idle connections says nothing: without these, a statement would wait for many minutes
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""What libpq is told, unless the URL says something else."""

_AT_THE_SERVER: Final = {
    # a host that lost its network or its power says nothing either: without these, its locks and the sign that it
    # lives stay for two hours
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""The same for Postgres' end of the connection: times in seconds, the last in milliseconds."""

_REFUSED: Final = ("startup parameter", "command-line options")
"""What PgBouncer and RDS Proxy say of `options`."""

_FAILED_AT: Final = re.compile(
    r'connection to server at "([^"]+)"(?: \([^)]*\))?, port (\d+) failed: (.*?)(?: - host: |$)'
)


class NoSetting(PermanentError):
    """The `options` of a URL hold something other than settings, which doesn't pass through a pooler."""


class Connector:
    """Connects to one server, and learns on the way whether a pooler stands between.

    settings: Postgres' settings for each session; those in the URL's `options` go over them.
    """

    def __init__(self, url: str, settings: Mapping[str, str] | None = None) -> None:
        self.url = read_database_url(url)
        theirs = self.url.query.get("options")
        ours = " ".join(f"-c {name}={value}" for name, value in {**_AT_THE_SERVER, **(settings or {})}.items())
        self._options = f"{ours} {theirs}".strip() if isinstance(theirs, str) else ours
        self.is_pooled = False
        """Whether a pooler stands between; False before the first connection."""

    @property
    def arguments(self) -> dict[str, object]:
        """The URL as psycopg's parameters: as text, a password with a space would be read wrongly, and be shown."""
        url = self.url.difference_update_query(["options"])
        _, from_url = PGDialect_psycopg().create_connect_args(url)  # type: ignore[no-untyped-call]
        return {**defaults(self.url), **from_url}

    def connect(self, **parameters: Any) -> psycopg.Connection:
        """A new connection. parameters: psycopg's, without `options`. Raises psycopg.OperationalError."""
        connection = None if self.is_pooled else self._connect_with_options(parameters)
        if self.is_pooled:
            connection = connection or psycopg.connect(**parameters)
            # it may be prepared in one session, and executed in another
            connection.prepare_threshold = None
        assert connection is not None
        return connection

    def _connect_with_options(self, parameters: Mapping[str, Any]) -> psycopg.Connection | None:
        """Learns whether a pooler stands between. None when it refuses our settings."""
        try:
            connection = psycopg.connect(**parameters, options=self._options)
        except psycopg.OperationalError as error:
            if not any(words in str(error) for words in _REFUSED):
                raise
            self.is_pooled = True
            return None
        self.is_pooled = _passes_a_pooler(connection)
        return connection

    def settings_statement(self) -> sql.Composed:
        """A statement that tells our settings to the session, for the transaction that has begun.

        Raises NoSetting.
        """
        calls = [
            sql.SQL("set_config({}, {}, true)").format(name, value)
            for name, value in settings_in(self._options).items()
        ]
        return sql.SQL("SELECT ") + sql.SQL(", ").join(calls)

    def serve(self, engine: Engine) -> None:
        """Make an engine's connections, and tell them our settings in each transaction where that is needed."""
        event.listen(
            engine, "do_connect", lambda _dialect, _record, _positional, parameters: self.connect(**parameters)
        )
        event.listen(engine, "begin", self._tell_settings)

    def _tell_settings(self, connection: Connection) -> None:
        if self.is_pooled:
            driver_connection(connection).execute(self.settings_statement())


def defaults(url: URL) -> dict[str, object]:
    """What libpq is told beside the URL."""
    return {name: value for name, value in _LINK.items() if name not in url.query}


def settings_in(options: str) -> dict[str, str]:
    """The settings in libpq's `options`: `-c name=value`, `-cname=value`, `--name=value`. Raises NoSetting."""
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|\S)+", options)]
    settings = {}
    while words:
        word = words.pop(0)
        given = word.removeprefix("-c") or (words.pop(0) if words else "")
        given = given.removeprefix("--")
        name, is_setting, value = given.partition("=")
        if not is_setting or not word.startswith(("-c", "--")):
            raise NoSetting(f"options={options!r} of a database URL: {word!r} can't be told through a pooler")
        settings[name.replace("-", "_")] = value
    return settings


def _passes_a_pooler(connection: psycopg.Connection) -> bool:
    """Whether the session's number isn't what was said when the connection began: a pooler makes that up.

    So one is seen that drops our settings without a word.
    """
    kept, connection.autocommit = connection.autocommit, True
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    connection.autocommit = kept
    return row is None or row[0] != connection.info.backend_pid


def why(error: object) -> str:
    """An error in one line; where several hosts were tried, what each of them said."""
    line = " ".join(str(error).split())
    _, several, each = line.partition("All failures were: ")
    said = [f"{host}:{port} says {answer}" for host, port, answer in _FAILED_AT.findall(each)]
    return "; ".join(said) if several and said else line
