"""SIGTERM in the middle of every stage: a clean stop in seconds, nothing lost, nobody left, and the next ones go on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from overnight_models import routes
from overnight_producers import Item, Overnight, task
from overnight_workers.one_machine.supervision import process_table
from overnight_workers.sandbox.process import Running
from overnight_workers.stages import doorbell
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.chaos.books import assert_books_are_right
from tests.chaos.life import World
from tests.chaos.scenario import Scenario
from tests.driving import Service, callback, item, params
from tests.faults import held
from tests.forking import Program
from tests.waiting import wait_until

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("apart")]

STOPS_WITHIN_S = 100.0
"""Five of them are the soft shutdown's: a task that ends by then isn't done again."""


@dataclass(frozen=True)
class Hold:
    """Where a stage stands still when its worker is told to stop."""

    queue: str
    at: str
    after: int = 0

    def sign(self, place: Path) -> Path:
        """The file that is there when it stands still."""
        return place / f"{self.queue}.held"

    def told(self, place: Path) -> dict[str, str]:
        """Its worker's variables."""
        return {held.AT: self.at, held.AFTER: str(self.after), held.SIGN: str(self.sign(place))}


HELD_APP = "tests.faults.held"
KEYS = ("due", "ended", "open", "packed 0", "packed 1", "packed 2", "waiting", "on its way")
HOLDS = {
    "accepting": Hold(routes.ACCEPT, r"accept._write:\d+ before commit"),
    "packing": Hold(routes.PACK, r"pack.pack:\d+ before commit", after=1),
    "submitting, in the middle of the body": Hold(routes.SUBMIT, r"submit.* in the body"),
    "polling": Hold(routes.POLL, r"poll.* before calling the API"),
    "collecting, in the middle of the results": Hold(routes.COLLECT, r"collect.* in the results"),
    "delivering, sent and not yet recorded": Hold(routes.DELIVER, r"deliver.* after publish"),
}


@contextmanager
def worker(place: Path, app: str, *queues: str, **told: str) -> Iterator[Program]:
    """One Celery worker, ready."""
    place.mkdir()
    argv = ["celery", "-A", app, "worker", "-n", f"{place.name}@%h", "-Q", ",".join(queues)]
    argv += ["-c", "1", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
    process = Program(argv, place / "log", environment={**os.environ, "REMAP_SIGTERM": "SIGQUIT", **told})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def everything_under_way(service: Service) -> None:
    """Work for each stage at once: due, ended, open, packed, waiting, and a message that nobody has taken yet."""
    service.accept(item("due", callback=callback()))
    service.round()
    service.accept(item("ended", callback=callback()))
    pack()
    submit()
    poll()
    service.accept(item("open", callback=callback()))
    pack()
    submit()
    service.accept(*(item(f"packed {n}", params=params("x" * 300_000), callback=callback()) for n in range(3)))
    pack()
    service.accept(item("waiting", callback=callback()))
    product = Overnight(service.redis_url)
    product.enqueue_many([Item(key="on its way", params=params("A message"), callback=task("shop.save", queue="shop"))])
    product.close()


def test_in_the_middle_of_every_stage(service: Service, sandbox: Running, tmp_path: Path) -> None:
    """All at the same time: each of six workers has one stage, and stands still in it."""
    service.configure(timing={"create_timeout": "2m", "lease": "4m"})
    everything_under_way(service)
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(worker(tmp_path / hold.queue, HELD_APP, hold.queue, **hold.told(tmp_path)))
            for name, hold in HOLDS.items()
        }
        for name, hold in HOLDS.items():
            log = tmp_path / hold.queue / "log"
            wait_until(hold.sign(tmp_path).exists, what=lambda: f"{name}: {log.read_text()[-3000:]}")  # noqa: B023
        everybody = [who for process in workers.values() for who in family(process)]
        assert len(everybody) == 2 * len(workers)
        for running in workers.values():
            running.terminate()
        told_at = time.monotonic()
        assert {name: process.wait(120) for name, process in workers.items()} == dict.fromkeys(HOLDS, 0)
        assert time.monotonic() - told_at < STOPS_WITHIN_S
    assert [who for who in everybody if process_table.is_alive(who)] == []
    with redis.Redis.from_url(service.redis_url) as client:
        assert client.llen(routes.ACCEPT) == 1, "the message is back in its queue"
        assert client.hlen("overnight:unacked") == 0
    go_on(service, tmp_path)
    world = World(tmp_path, service.database_url, service.redis_url, sandbox, "")
    assert_books_are_right(service, world, Scenario("stopped", (), dict.fromkeys(KEYS, ("succeeded",))))


def go_on(service: Service, place: Path) -> None:
    """The next worker does what the last ones left; this process is the beat."""
    unfinished = """
        SELECT 1 WHERE (SELECT count(*) FROM item WHERE state = 'succeeded') < %s
        OR EXISTS (SELECT FROM every_delivery WHERE state <> 'delivered')
        OR EXISTS (SELECT FROM submission WHERE state NOT IN ('void', 'done'))
    """

    def done() -> bool:
        service.ledger.execute("UPDATE delivery SET due_at = now() WHERE state = 'sending' AND tries = 1")
        service.ledger.execute("UPDATE hand_over SET due_at = now()")
        sweep()
        doorbell.ring(routes.POLL)
        return not service.ledger.fetch_all(unfinished, len(KEYS))

    with worker(place / "next", "overnight_workers.app", *routes.QUEUES):
        wait_until(done)
    service.restart()


def family(process: Program) -> list[process_table.Entry]:
    """A worker and its pool."""
    leader = process_table.entry(process.pid)
    assert leader is not None
    return process_table.family(leader.pid, leader.started)
