"""Connecting to Postgres: directly, or through a pooler such as PgBouncer.

Directly, our settings are told when a session starts. A pooler refuses or drops them there, and in transaction mode
each transaction may run in another session. So through any pooler they are told at the beginning of each transaction,
and statements aren't prepared. What needs a session of its own is only the lock of `ledger.presence`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

import psycopg
from psycopg import sql
from psycopg.abc import PQGen
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from overnight_models.errors import PermanentError
from overnight_models.ledger.copying import driver_connection
from overnight_models.ledger.database_url import read_database_url
from overnight_models.ledger.session_settings import LINK, options

T = TypeVar("T")

_REFUSED: Final = ("startup parameter", "command-line options")
"""What PgBouncer and RDS Proxy say of `options`."""

_FAILED_AT: Final = re.compile(
    r'connection to server at "([^"]+)"(?: \([^)]*\))?, port (\d+) failed: (.*?)(?: - host: |$)'
)


_GRACE_S: Final = 30.0
"""So long after Postgres would have ended a statement its answer is waited for."""
_STATEMENT_TIMEOUT_S: Final = 120.0
"""Where nothing else is said."""
_UNITS: Final = {"": 0.001, "us": 1e-6, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_TIME: Final = re.compile(r"\s*(\d+)\s*([a-z]*)\s*")


class NoSetting(PermanentError):
    """The `options` of a URL hold something other than settings, which doesn't pass through a pooler."""


class _Bounded(psycopg.Connection[tuple[object, ...]]):
    """A connection that doesn't wait for ever: what is on the way may be alive, and swallow what it should pass on.

    Then no keepalive and no timeout of the network sees anything, and Postgres can't say that it has ended a statement.
    """

    answer_within_s: float | None = None
    """Of one wait, for a statement, or for a part of a COPY; None: for ever."""

    def wait(self, gen: PQGen[T], *given: Any, **named: Any) -> T:
        """As psycopg's. Raises psycopg.OperationalError, and is closed, when nothing comes for that long."""
        if self.answer_within_s is not None:
            gen = self._bounded(gen, self.answer_within_s)
        waited: T = super().wait(gen, *given, **named)
        return waited

    def _bounded(self, gen: PQGen[T], seconds: float) -> PQGen[T]:
        until = time.monotonic() + seconds
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > until:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(
                        f"no answer for {seconds:.0f} s, although the connection is open:"
                        " is a pooler or a proxy frozen?"
                    )
                wanted = gen.send(ready)
        except StopIteration as end:
            return cast(T, end.value)


class Connector:
    """Connects to one server, and learns on the way whether a pooler stands between.

    settings: Postgres' settings for each session; those in the URL's `options` go over them.
    """

    def __init__(self, url: str, settings: Mapping[str, str] | None = None) -> None:
        self.url = read_database_url(url)
        theirs = self.url.query.get("options")
        self._options = options(settings or {}, theirs if isinstance(theirs, str) else "")
        self._answer_within_s = _answer_within_s(self._options)
        self.is_pooled = False
        """Whether a pooler stands between; False before the first connection."""

    @property
    def arguments(self) -> dict[str, object]:
        """The URL as psycopg's parameters: as text, a password with a space would be read wrongly, and be shown."""
        url = self.url.difference_update_query(["options"])
        _, from_url = PGDialect_psycopg().create_connect_args(url)  # type: ignore[no-untyped-call]
        return {**defaults(self.url), **from_url}

    def connect(self, **parameters: Any) -> psycopg.Connection:
        """A new connection. parameters: psycopg's, without `options`. Raises psycopg.OperationalError, also later."""
        connection = None if self.is_pooled else self._connect_with_options(parameters)
        if self.is_pooled:
            connection = connection or _Bounded.connect(**parameters)
            # it may be prepared in one session, and executed in another
            connection.prepare_threshold = None
        assert connection is not None
        connection.answer_within_s = self._answer_within_s
        return connection

    def _connect_with_options(self, parameters: Mapping[str, Any]) -> _Bounded | None:
        """Learns whether a pooler stands between. None when it refuses our settings."""
        try:
            connection = _Bounded.connect(**parameters, options=self._options)
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
    return {name: value for name, value in LINK.items() if name not in url.query}


def _answer_within_s(options: str) -> float | None:
    """How long an answer is waited for; None for ever, as where `statement_timeout` is 0."""
    try:
        said = settings_in(options).get("statement_timeout")
    except NoSetting:
        said = None
    time_ = None if said is None else _TIME.fullmatch(said)
    if time_ is None or time_[2] not in _UNITS:
        return _STATEMENT_TIMEOUT_S + _GRACE_S
    timeout_s = int(time_[1]) * _UNITS[time_[2]]
    return timeout_s + _GRACE_S if timeout_s else None


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
