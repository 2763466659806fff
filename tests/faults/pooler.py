"""PgBouncer before the tests' PostgreSQL, as companies run it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from overnight_models.ledger.database import is_ready
from overnight_workers.one_machine.embedded.account import account_for_postgres
from overnight_workers.one_machine.supervision.leash import leashed
from tests.ports import free_port
from tests.waiting import wait_until

PROGRAM: Final = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


@contextmanager
def running_pooler(database_url: str, mode: str, **options: str) -> Iterator[str]:
    """A PgBouncer in that pool_mode; the URL of the same database through it."""
    url = make_url(database_url)
    # not below pytest's own directory: PgBouncer doesn't run as root, and its account couldn't read there
    place = Path(tempfile.mkdtemp(prefix="overnight-tests-"))
    place.chmod(0o755)
    port = free_port()
    (place / "users.txt").write_text(f'"{url.username}" "{url.password}"\n')
    ini = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": place / "users.txt",
        "pool_mode": mode,
        "default_pool_size": 60,
        **options,
    }
    lines = "".join(f"{name} = {value}\n" for name, value in ini.items())
    (place / "pgbouncer.ini").write_text(f"[databases]\n* = host={url.host} port={url.port}\n[pgbouncer]\n{lines}")
    argv = leashed([str(PROGRAM), str(place / "pgbouncer.ini")], signal.SIGINT, account_for_postgres(place / "none"))
    pooled = url.set(port=port).render_as_string(hide_password=False)
    with (place / "log").open("wb") as log, subprocess.Popen(argv, stdout=log, stderr=log) as process:
        try:
            wait_until(lambda: is_ready(pooled), what=(place / "log").read_text)
            yield pooled
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(place)
