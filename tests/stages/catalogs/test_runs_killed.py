"""Whoever takes a run's steps is killed at every point; the next one goes on, and nothing is paid twice."""

from __future__ import annotations

import os
import re
from multiprocessing.connection import Connection
from signal import SIGKILL

import orjson
import pytest

from overnight_models.ledger.catalogs.runs import Run
from overnight_workers import held, process
from overnight_workers.catalogs.report import sending
from overnight_workers.catalogs.runs import advancing
from overnight_workers.settings import settings
from tests.chaos import points
from tests.forking import forked, processes
from tests.stages.catalogs.conftest import Enriched, shop
from tests.stages.catalogs.test_reports import REPORT_TO


def _live(environment: dict[str, str], run_id: int, spared: frozenset[str], said: Connection) -> None:
    """Take steps until the run waits or is over; killed at the first point that isn't spared."""
    os.environ.clear()
    os.environ.update(environment)
    settings.cache_clear()
    held.forget()

    def reach(point: str) -> None:
        if "catalogs" in _rooms() and point not in spared:
            said.send(point)
            points.die()

    points.arm(reach)
    if not advancing.read(run_id).is_over:  # one that died after the last commit has ended it
        taken = advancing.take(run_id, "a process that may die")
        assert taken is not None, "whoever had it is dead"
        step = advancing.advance(taken)
        while not (step.is_over or step.wait_s):
            step = advancing.advance(taken)
    said.send(None)


def _rooms() -> str:
    """Where the point is: what a death in another room does is tried in tests/chaos."""
    import sys

    frame = sys._getframe(2)
    names = []
    while frame is not None:
        names.append(str(frame.f_globals.get("__name__")))
        frame = frame.f_back  # type: ignore[assignment]
    return " ".join(names)


def _until_it_waits(run: Run, spared: set[str]) -> set[str]:
    """Lives, one after the other, each killed at its first new point. Returns where they died, and who is spared."""
    died_at = set(spared)
    while True:
        reading, writing = processes.Pipe(duplex=False)
        arguments = (dict(os.environ), run.id, frozenset(died_at), writing)
        with forked():
            process = processes.Process(target=_live, args=arguments)
            process.start()
        writing.close()
        try:
            point = reading.recv()
        except EOFError:
            raise AssertionError(f"it died of something else after {sorted(died_at)}") from None
        process.join()
        if point is None:
            assert process.exitcode == 0
            return died_at
        assert process.exitcode == -SIGKILL
        died_at.add(point)


@pytest.mark.timeout(900)
def test_killed_at_every_point_of_every_step_the_meter_has_each_row_once(catalog: Enriched) -> None:
    catalog.declare(more=f"[pilot]\nrows = 2\n[caps]\nmax_cost = 1\n{REPORT_TO}")
    catalog.write(shop(6))
    run = catalog.begin()
    died_at: set[str] = set()
    while not advancing.read(run.id).is_over:
        # who takes a run does it in the same way whatever its next step is
        died_at |= _until_it_waits(run, {point for point in died_at if re.match(r"advancing\.(take|read):", point)})
        catalog.service.clock.pauses_are_over()
        catalog.service.round()
    assert advancing.read(run.id).state == "complete"
    assert len(died_at) > 20
    meter = catalog.service.api.meter()
    assert (meter["requests"], meter["billed"]) == (6, 6)
    assert [row["overnight_run"] for row in catalog.published()] == ["1"] * 6
    assert catalog.plan()["send"] == 0
    # who died just before sending it leaves the report to a worker; who died just after, sent it twice
    sending.send_all()
    messages = [orjson.loads(message) for message in process.redis_client().lrange("shop.reports", 0, -1)]
    assert {message["headers"]["id"] for message in messages} == {"report-shop-1"}
    assert len(messages) in (1, 2)
