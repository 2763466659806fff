"""A host that is frozen past its lease, at the moment that matters: another takes over, and then it goes on.

Whoever is frozen keeps its connections and its lock, so that it isn't known to be gone; only its time is over.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from signal import SIGALRM, SIGCONT, SIGKILL, SIGSTOP
from typing import Final

import pytest

from overnight_workers import held
from overnight_workers.celery_worker import celery_app
from overnight_workers.settings import settings
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.chaos import points
from tests.chaos.books import assert_books_are_right
from tests.chaos.life import World, come_home
from tests.chaos.scenario import DONE, Scenario
from tests.driving import Service, callback, item
from tests.forking import forked, processes
from tests.waiting import wait_until

_KEYS: Final = ("a", "b", "c")
_CREATE_TIMEOUT_S: Final = 1.5
_ENDS_IDLE_TRANSACTIONS: Final = "?options=-c%20idle_in_transaction_session_timeout%3D200"
"""What Postgres does after a minute to whoever is frozen in a transaction."""


@dataclass(frozen=True)
class Frozen:
    """A process that stands still at a point."""

    goes_on: Callable[[], int | None]
    """Let it go on to its end. Returns its exit code."""


def _stand_still(environment: dict[str, str], stage: Callable[[], object], at: str, said: Connection) -> None:
    """Do a stage's work, and stop at the first point of that kind."""
    os.environ.clear()
    os.environ.update(environment)
    settings.cache_clear()
    held.forget()
    celery_app.configure()

    def reach(point: str) -> None:
        if at in point:
            points.disarm()
            said.send(point)
            os.kill(os.getpid(), SIGSTOP)

    points.arm(reach)
    stage()


@contextmanager
def frozen(service: Service, stage: Callable[[], object], at: str) -> Iterator[Frozen]:
    """A process that does a stage's work, frozen at that point."""
    reading, writing = processes.Pipe(duplex=False)
    environment = os.environ | {"OVERNIGHT_DATABASE_URL": service.database_url + _ENDS_IDLE_TRANSACTIONS}
    process = processes.Process(target=_stand_still, args=(dict(environment), stage, at, writing))
    with forked():
        process.start()
    writing.close()
    pid = process.pid
    assert pid is not None

    def go_on() -> int | None:
        os.kill(pid, SIGCONT)
        process.join(60)
        return process.exitcode

    try:
        reading.recv()
        wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        yield Frozen(go_on)
    finally:
        if process.exitcode is None:
            os.kill(pid, SIGKILL)
        process.join()


@pytest.fixture
def packed(service: Service) -> Service:
    """A batch of three is packed, and a create takes at most a second and a half."""
    service.configure(timing={"create_timeout": f"{_CREATE_TIMEOUT_S}s"})
    service.accept(*(item(key, callback=callback()) for key in _KEYS))
    pack()
    return service


def _another_takes_over(service: Service) -> None:
    service.clock.leases_lapse()
    come_home(service)


def _assert_books_are_right(service: Service, tmp_path: Path) -> None:
    """All is there once, whatever the frozen one did when it went on."""
    come_home(service)
    world = World(tmp_path, service.database_url, service.redis_url, service.sandbox, "")
    assert_books_are_right(service, world, Scenario("frozen", (), dict.fromkeys(_KEYS, DONE)))
    assert service.api.meter()["requests"] == len(_KEYS), "nothing is sent twice"


@pytest.mark.parametrize("at", ["before commit", "_workspace_is_known", "before create", "_gate", "after create"])
def test_a_submitter(packed: Service, tmp_path: Path, at: str) -> None:
    with frozen(packed, submit, at) as submitter:
        _another_takes_over(packed)
        assert submitter.goes_on() is not None
    _assert_books_are_right(packed, tmp_path)


def test_a_submitter_that_may_send_its_last_bytes_never_sends_them_late(packed: Service, tmp_path: Path) -> None:
    with frozen(packed, submit, "before last bytes") as submitter:
        time.sleep(_CREATE_TIMEOUT_S)  # its process has a clock of its own
        _another_takes_over(packed)
        assert submitter.goes_on() == -SIGALRM
    _assert_books_are_right(packed, tmp_path)


@pytest.mark.parametrize("at", ["before commit", "in the results"])
def test_a_collector(packed: Service, tmp_path: Path, at: str) -> None:
    submit()
    poll()
    with frozen(packed, collect, at) as collector:
        _another_takes_over(packed)
        assert collector.goes_on() is not None
    _assert_books_are_right(packed, tmp_path)


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize("at", ["before commit", "before publish", "after publish"])
def test_a_deliverer(packed: Service, tmp_path: Path, at: str) -> None:
    for stage in (submit, poll, collect):
        stage()
    with frozen(packed, deliver, at) as deliverer:
        _another_takes_over(packed)
        assert deliverer.goes_on() is not None
    _assert_books_are_right(packed, tmp_path)
