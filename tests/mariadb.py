"""A MariaDB of the tests' own, in a directory that is gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa

from tests.ports import free_port
from tests.waiting import wait_until

_SERVER: Final = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_INSTALL: Final = shutil.which("mariadb-install-db")
DATABASE: Final = "shop"


@contextmanager
def running(directory: Path) -> Iterator[str]:
    """A server with its own data in that directory; gives the URL of an empty database, whose default is latin1."""
    if _SERVER is None or _INSTALL is None:
        pytest.skip("no MariaDB: apt-get install mariadb-server")
    data, port = directory / "data", free_port()
    made = [_INSTALL, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
    subprocess.run([*made, "--skip-test-db", "--user=root"], check=True, capture_output=True)
    words = [f"--datadir={data}", f"--socket={directory / 's'}", f"--port={port}", "--bind-address=127.0.0.1"]
    words += ["--user=root", "--innodb-buffer-pool-size=32M", "--sql-mode=", "--character-set-server=latin1"]
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen([_SERVER, "--no-defaults", *words], stdout=log, stderr=log)
    try:
        url = f"mariadb+pymysql://root@127.0.0.1:{port}"
        wait_until(lambda: _answers(url))
        yield f"{url}/{DATABASE}"
    finally:
        server.terminate()
        server.wait(timeout=60)


def _answers(url: str) -> bool:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    except sa.exc.OperationalError:
        return False
    finally:
        engine.dispose()
    return True
