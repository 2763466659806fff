"""A host whose packets vanish, in a network of its own.

    unshare --net python -m tests.faults.dropped_packets    # by root

No FIN and no RST reaches anybody, as when a machine loses its power or a router its routes. Prints what it has seen,
as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

import psycopg

from overnight_models.ledger.database import Database, DatabaseUnavailable
from overnight_models.ledger.presence import is_gone
from overnight_models.ledger.rows import execute, fetch_column, fetch_only_value
from tests.servers import copy_database, running_postgres

_QUICK: Final = (
    "?tcp_user_timeout=4000&options=-c tcp_keepalives_idle=1 -c tcp_keepalives_interval=1"
    " -c tcp_keepalives_count=2 -c tcp_user_timeout=2000"
)
"""As a URL may say it: by the defaults each end takes half a minute."""
_AT_MOST_S: Final = 60.0
_SETTINGS: Final = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")


def main() -> int:
    """Cut one of two hosts off in the middle of a transaction, and see how long it stands in the other one's way."""
    _run("ip", "link", "set", "lo", "up")
    with running_postgres() as server:
        url = copy_database(server.url)
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO lane (name) VALUES ('copy')")
        print(json.dumps({"defaults": _defaults(url), **_cut_off(url)}))
    return 0


def _defaults(url: str) -> dict[str, str]:
    """What Postgres goes by in a session of ours whose URL says nothing."""
    database = Database(url)
    with database.transaction() as connection:
        shown = {name: fetch_only_value(connection, str, f"SHOW {name}") for name in _SETTINGS}
    database.close()
    return shown


def _cut_off(url: str) -> dict[str, float]:
    far, near = Database(url + _QUICK, name="far"), Database(url + _QUICK, name="near")
    owner = far.owner()
    waited, began = {}, time.monotonic()
    try:
        with far.transaction() as connection:
            execute(connection, "UPDATE lane SET paused_at = now()")
            with near.transaction() as looking:
                ports = fetch_column(
                    looking,
                    int,
                    "SELECT client_port FROM pg_stat_activity WHERE application_name IN ('far', 'overnight-owner')",
                )
            for port in ports:
                _drop(port)
            began = time.monotonic()
            waited["lock_s"] = _until(lambda: _gets_the_row(near), began)
            waited["presence_s"] = _until(lambda: _is_gone(near, owner), began)
            execute(connection, "SELECT 1")
    except DatabaseUnavailable:
        waited["far_knows_s"] = time.monotonic() - began
    near.close()
    return waited


def _drop(port: int) -> None:
    for end in ("--sport", "--dport"):
        _run("iptables", "-A", "INPUT", "-p", "tcp", end, str(port), "-j", "DROP")


def _gets_the_row(near: Database) -> bool:
    with near.transaction() as connection:
        return bool(fetch_column(connection, int, "SELECT id FROM lane FOR UPDATE SKIP LOCKED"))


def _is_gone(near: Database, owner: int) -> bool:
    with near.transaction() as connection:
        return fetch_only_value(connection, bool, f"SELECT {is_gone('CAST(:number AS bigint)')}", number=owner)


def _until(condition: Callable[[], bool], began: float) -> float:
    while not condition():
        if time.monotonic() - began > _AT_MOST_S:
            return float("inf")
        time.sleep(0.1)  # Postgres says nothing when it drops a session: it is asked
    return time.monotonic() - began


def _run(*words: str) -> None:
    subprocess.run(words, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
