"""What libpq and Postgres are told when a session of the ledger starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LINK: Final[dict[str, object]] = {
    "connect_timeout": 5,
    "client_encoding": "utf8",
    # a router that drops idle connections says nothing: without these, a statement would wait for many minutes
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""What libpq is told, unless the URL says something else."""

AT_THE_SERVER: Final = {
    # a host that lost its network or its power says nothing either: without these, its locks and the sign that it
    # lives stay for two hours
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""The same for Postgres' end of the connection: times in seconds, the last in milliseconds."""

SETTINGS: Final = {
    "lock_timeout": "10000",
    # what a host holds that is cut off behind a proxy, which keeps both ends of the connection alive
    "idle_in_transaction_session_timeout": "60000",
    "timezone": "UTC",
    # how many rows wait or are due changes by the minute: a plan made for few would be quadratic for many
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
    # the processors are for other processes' work: starting a second one for a query of milliseconds is dearer
    "max_parallel_workers_per_gather": "0",
    # rows are looked up by the thousand in tables of millions: by index, which on today's disks costs about 1
    "random_page_cost": "1.1",
}
"""What Postgres is told in every session of ours; times in milliseconds."""


def options(settings: Mapping[str, str], theirs: str = "") -> str:
    """Settings as libpq's `options`. theirs: those in the URL, which go over ours."""
    ours = " ".join(f"-c {name}={value}" for name, value in {**AT_THE_SERVER, **settings}.items())
    return f"{ours} {theirs}".strip()
