"""What is dead: each trouble begins when its block is entered, and is mended when the block is left."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from random import Random
from typing import Final

from celery import Celery

from overnight_models import routes
from overnight_models.wire.redis_place import read_redis_url
from overnight_workers.one_machine.installation import WORKERS
from tests.drill.system import LANES, System, full
from tests.faults.redis_servers import demote
from tests.waiting import wait_until

_BUSY: Final = (
    *(routes.ACCEPT, routes.ANSWER, routes.PACK, routes.SUBMIT, routes.POLL, routes.COLLECT, routes.DELIVER),
    routes.RESCUE,
)
"""Queues that have work in the drill: without the others nothing stands still."""

Trouble = Callable[[System, Random], AbstractContextManager[str]]
"""Gives, in words, what was done."""


@contextmanager
def beat_frozen(system: System, _: Random) -> Iterator[str]:
    """It lives, holds its connections, and does nothing."""
    with system.overnight.frozen(*system.overnight.processes("beat")):
        yield "SIGSTOP to the beat"


@contextmanager
def redis_demoted(system: System, _: Random) -> Iterator[str]:
    """The replica is promoted; the address leads to the old primary, whose connections stay open."""
    demote(system.redis, system.replica)
    yield "the primary became a replica; the address leads to it still"
    system.switch_redis()


@contextmanager
def postgres_killed(system: System, _: Random) -> Iterator[str]:
    """The primary dies, and the standby isn't promoted yet."""
    system.postgres.primary.kill()
    yield "kill -9 to the primary"
    system.postgres.fail_over()


@contextmanager
def postgres_read_only(system: System, _: Random) -> Iterator[str]:
    """The old primary stays up, with all connections to it, and takes no writes."""
    system.postgres.primary.become_read_only()
    yield "the primary takes no writes, and stays up with all its connections"
    system.postgres.fail_over()
    system.postgres.standby.end_commits()


@contextmanager
def temporary_disk_full(system: System, _: Random) -> Iterator[str]:
    """No byte is left where the bodies of batches are written before they are sent."""
    with full(system.temporary):
        yield "no room where TMPDIR leads"


@contextmanager
def postgres_disk_full(system: System, _: Random) -> Iterator[str]:
    """No byte is left where the ledger and its log are."""
    node = system.postgres.primary
    with full(node.place):
        yield "no room on the disk of Postgres"
    if not node.is_up:
        node.start()


@contextmanager
def key_revoked(system: System, draw: Random) -> Iterator[str]:
    """Every call of one workspace is answered with 401."""
    lane = draw.choice(LANES)
    calls = ("create", "list", "retrieve", "results", "count_tokens")
    system.overnight.faults(lane, *({"at": call, "do": "status", "status": 401} for call in calls))
    yield f"401 to every call of workspace {lane}"
    system.overnight.faults_are_over()
    system.overnight.command("resume", "--all")


@contextmanager
def queue_without_worker(system: System, draw: Random) -> Iterator[str]:
    """A worker is told, as by Flower's button, to listen to one of its queues no more."""
    queue = draw.choice(_BUSY)
    (name,) = [name for name, worker in WORKERS.items() if queue in worker.queues]
    worker = [f"{name}@{socket.gethostname()}"]
    with Celery(set_as_current=False) as app:
        app.conf.update(read_redis_url(system.redis_address.url).celery())
        wait_until(lambda: app.control.cancel_consumer(queue, destination=worker, reply=True, timeout=5), 30)
        yield f"nobody listens to {queue}"
        wait_until(lambda: app.control.add_consumer(queue, destination=worker, reply=True, timeout=5), 30)


TROUBLES: Final[dict[str, tuple[Trouble, str]]] = {
    "beat frozen": (beat_frozen, "SIGCONT to the beat"),
    "Redis demoted": (redis_demoted, "the address leads to the new primary"),
    "Postgres killed": (postgres_killed, "the standby is promoted"),
    "Postgres read-only": (postgres_read_only, "the standby is promoted"),
    "temporary disk full": (temporary_disk_full, "room on the disk"),
    "disk of Postgres full": (postgres_disk_full, "room on the disk, and Postgres is started where it had ended"),
    "401": (key_revoked, "the key is let in again; `overnight resume --all`"),
    "a queue without a worker": (queue_without_worker, "the worker listens to it again"),
}
"""By name: what is done, and how it is mended."""

NEEDS_DISKS: Final = frozenset({"temporary disk full", "disk of Postgres full"})
