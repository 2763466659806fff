"""PostgreSQL as companies run it: a primary, and a standby that streams from it and may take its place."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg

from overnight_workers.one_machine.embedded.account import account_for_postgres, open_the_way
from overnight_workers.one_machine.embedded.postgres import EmbeddedPostgres
from overnight_workers.one_machine.supervision.leash import leashed
from tests.waiting import wait_until

_SMALL: Final = {"shared_buffers": "64MB", "max_wal_size": "128MB", "min_wal_size": "32MB", "wal_keep_size": "64MB"}

_STREAMS: Final = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"


class Node:
    """One server in a directory of its own, on a port that stays its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.server = EmbeddedPostgres(place, durable=False)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def cluster(self) -> Path:
        """Its data directory."""
        return self.place / "cluster"

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server.port}"

    def start(self) -> None:
        """Start it; a standby answers too."""
        self.server.prepare()
        settings = [word for name, value in _SMALL.items() for word in ("-c", f"{name}={value}")]
        argv = leashed([*self.server.argv(), *settings], signal.SIGINT, account_for_postgres(self.cluster))
        with (self.place / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=self.place.root)
        self.server.wait_ready()

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """`kill -9` to its postmaster: its other processes end by themselves."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Its fast shutdown."""
        self._end(signal.SIGINT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def rows(self, statement: str) -> list[Any]:
        """What it itself says, whoever is the primary."""
        with psycopg.connect(self.server.url, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def become_read_only(self) -> None:
        """As a primary that was replaced and not stopped: it stays up, and so do its connections."""
        self.rows("ALTER SYSTEM SET default_transaction_read_only = on")
        self.rows("SELECT pg_reload_conf()")

    def end_commits(self) -> None:
        """End sessions whose commit waits for a standby that is gone: they would wait for ever."""
        self.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")

    def promote(self) -> None:
        """Make a standby the primary."""
        self.rows("SELECT pg_promote()")

    def copy(self, primary: Node) -> None:
        """Become a standby of that server: its data, and everything from then on. What was here is gone."""
        self.stop()
        shutil.rmtree(self.cluster, ignore_errors=True)
        self.place.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copy(primary.place / "password", self.place / "password")
        account = account_for_postgres(primary.cluster)
        if account is not None:
            self.cluster.mkdir(mode=0o700)
            shutil.chown(self.cluster, account.uid, account.gid)
            open_the_way(self.cluster)
        program = Path(primary.server.argv()[0]).parent / "pg_basebackup"
        argv = [str(program), "-R", "-X", "stream", "-c", "fast", "--no-sync", "-D", str(self.cluster)]
        made = leashed([*argv, "-d", primary.server.url], signal.SIGTERM, account)
        done = subprocess.run(made, check=False, capture_output=True, text=True, cwd=self.place.root)
        assert done.returncode == 0, done.stderr
        self.start()


class Pair:
    """A primary and its standby. Nothing is confirmed before both have it."""

    def __init__(self, first: Path, second: Path) -> None:
        self.primary, self.standby = Node(first), Node(second)

    def start(self) -> Pair:
        """Start both."""
        self.primary.start()
        self._follow()
        self._addresses = f"{self.primary.address},{self.standby.address}"
        return self

    @property
    def url(self) -> str:
        """Both hosts, as libpq has it."""
        before, _, after = self.primary.server.url.rpartition(self.primary.address)
        return f"{before}{self._addresses}{after}?target_session_attrs=read-write"

    def fail_over(self) -> None:
        """The standby becomes the primary; the old one is whatever it is."""
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    @property
    def is_whole(self) -> bool:
        """Whether the standby has everything that the primary confirms."""
        return bool(self.primary.rows(_STREAMS))

    def mend(self) -> None:
        """The old primary is a standby again."""
        self._follow()

    def _follow(self) -> None:
        self.standby.copy(self.primary)
        self.primary.rows("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.rows("SELECT pg_reload_conf()")
        wait_until(lambda: self.is_whole)

    def stop(self) -> None:
        """End both."""
        for node in (self.standby, self.primary):
            node.stop()


@contextlib.contextmanager
def running_pair() -> Iterator[Pair]:
    """A primary and its standby, until the block ends."""
    # not below pytest's own directory, which is private: the servers have a user of their own when the tests are root's
    place = Path(tempfile.mkdtemp(prefix="overnight-tests-"))
    servers = Pair(place / "first", place / "second")
    try:
        yield servers.start()
    finally:
        servers.stop()
        shutil.rmtree(place, ignore_errors=True)
