"""Attacks on a whole installation: what is drawn at random while products enqueue and everything works."""

from __future__ import annotations

import signal
from collections.abc import Callable
from random import Random
from threading import Event
from typing import Final

from overnight_workers.one_machine.supervision import process_table
from tests.chaos.hosts import cut_a_host_from_postgres, cut_a_host_from_redis, freeze_a_host
from tests.chaos.lanes import LANES, queue_of
from tests.faults.installed import Installed

Attack = Callable[[Installed, Random], object]

LONGEST_SANDBOX_FREEZE_S: Final = 1.5
"""Well within `wire` and `quiet`: what it has got by then it must list in time, or no protocol could know."""

_never = Event()


def kill_a_worker(overnight: Installed, draw: Random) -> None:
    overnight.kill(draw.choice(overnight.workers()))


def stop_a_worker(overnight: Installed, draw: Random) -> None:
    """As a rolling restart does: asked to stop, and started again."""
    leader = process_table.entry(overnight.pids()[draw.choice(overnight.workers())])
    if leader is not None:
        process_table.send(leader, signal.SIGTERM)


def kill_every_worker(overnight: Installed, _: Random) -> None:
    overnight.kill_workers()


def kill_postgres(overnight: Installed, _: Random) -> None:
    overnight.kill("postgres")


def restart_postgres(overnight: Installed, _: Random) -> None:
    """Its fast shutdown; the supervisor starts it again."""
    leader = process_table.entry(overnight.pids()["postgres"])
    if leader is not None:
        process_table.send(leader, signal.SIGINT)


def cut_postgres(overnight: Installed, _: Random) -> None:
    overnight.cut_postgres()


def freeze_postgres(overnight: Installed, draw: Random) -> None:
    _freeze(overnight, draw.uniform(0.5, 3), "postgres")


def kill_redis(overnight: Installed, _: Random) -> None:
    overnight.kill("redis")


def flush_redis(overnight: Installed, _: Random) -> None:
    overnight.flush_redis(*(queue_of(lane) for lane in LANES))


def cut_redis(overnight: Installed, _: Random) -> None:
    overnight.cut_redis()


def freeze_redis(overnight: Installed, draw: Random) -> None:
    _freeze(overnight, draw.uniform(0.5, 4), "redis")


def kill_the_api(overnight: Installed, _: Random) -> None:
    overnight.kill("sandbox")


def freeze_the_api(overnight: Installed, draw: Random) -> None:
    _freeze(overnight, draw.uniform(0.2, LONGEST_SANDBOX_FREEZE_S), "sandbox")


def freeze_a_worker(overnight: Installed, draw: Random) -> None:
    """All of its processes, at times until its leases and deadlines are over."""
    _freeze(overnight, draw.uniform(0.5, 8), draw.choice(overnight.workers()))


def freeze_a_process(overnight: Installed, draw: Random) -> None:
    """One of a pool, while the others go on."""
    pool = overnight.processes(draw.choice(overnight.workers()))
    if pool:
        with overnight.frozen(draw.choice(pool)):
            _never.wait(draw.uniform(0.5, 8))


def strangers(overnight: Installed, _: Random) -> None:
    """Somebody creates batches of the same sizes, in the same workspaces, in the same second."""
    under_way = overnight.rows(
        """
        SELECT headers.workspace, coalesce(submission.items, batch.items) AS items
        FROM submission JOIN batch ON batch.id = submission.batch_id JOIN headers ON headers.id = batch.headers_id
        WHERE submission.state IN ('claimed', 'sending', 'unclear') LIMIT 4
        """
    )
    for order in under_way:
        overnight.stranger(f"wrkspc_sandbox_{order['workspace']}", order["items"])


def _freeze(overnight: Installed, seconds: float, *names: str) -> None:
    with overnight.frozen(*overnight.processes(*names)):
        _never.wait(seconds)


ATTACKS: Final[dict[str, tuple[int, Attack]]] = {
    "a worker killed": (8, kill_a_worker),
    "every worker killed": (1, kill_every_worker),
    "a worker told to stop": (4, stop_a_worker),
    "a worker frozen": (5, freeze_a_worker),
    "a process of a worker frozen": (5, freeze_a_process),
    "Postgres killed": (2, kill_postgres),
    "Postgres restarted": (2, restart_postgres),
    "Postgres frozen": (2, freeze_postgres),
    "Postgres' connections cut": (4, cut_postgres),
    "Redis killed": (2, kill_redis),
    "Redis flushed": (4, flush_redis),
    "Redis frozen": (3, freeze_redis),
    "Redis' clients cut": (4, cut_redis),
    "the API killed": (2, kill_the_api),
    "the API frozen": (3, freeze_the_api),
    "strangers' batches of the same size": (5, strangers),
    "a host frozen": (1, freeze_a_host),
}
"""By name: how often it is drawn beside the others, and what it does."""

CUTS: Final[dict[str, tuple[int, Attack]]] = {
    "a host cut from Postgres": (1, cut_a_host_from_postgres),
    "a host cut from Redis": (1, cut_a_host_from_redis),
}
"""The same, where hosts can be cut from servers."""

OF_HOSTS: Final[dict[str, tuple[int, Attack]]] = {"a host frozen": (1, freeze_a_host), **CUTS}
"""Those of whole hosts alone."""
