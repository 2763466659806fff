"""Whoever takes a run's steps is killed at every point; the next one goes on, and nothing is paid twice."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from multiprocessing.connection import Connection
from signal import SIGKILL
from typing import Any

import orjson
import pytest

from overnight_models.ledger.catalogs.runs import Run
from overnight_workers import held, process
from overnight_workers.catalogs.report import sending
from overnight_workers.catalogs.runs import advancing
from overnight_workers.catalogs.runs.finding import find
from overnight_workers.catalogs.sinks import sink_of
from overnight_workers.catalogs.sinks.table import TableSink
from overnight_workers.settings import settings
from overnight_workers.stages.deliver.deliver import deliver
from tests.chaos import points
from tests.forking import forked, processes
from tests.stages.catalogs.conftest import Enriched, shop
from tests.stages.catalogs.test_publishing import outcome_of
from tests.stages.catalogs.test_reports import REPORT_TO
from tests.stages.catalogs.test_sinks_in_trouble import declare_table


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


def _killed_all_the_way(catalog: Enriched, *, fault: Mapping[str, Any] | None = None) -> set[str]:
    """A run, killed wherever it can be, until it is complete. Returns where.

    fault: what becomes of some rows, when the pilot is over.
    """
    return set().union(*_killed_in_rounds(catalog, fault))


def _killed_in_rounds(catalog: Enriched, fault: Mapping[str, Any] | None) -> list[set[str]]:
    """The same; where in each round, between two answers of the API."""
    run = catalog.begin()
    rounds: list[set[str]] = []
    alike: set[str] = set()
    while not advancing.read(run.id).is_over:
        died_at = _until_it_waits(run, alike)
        rounds.append(died_at - alike)
        # who takes a run does it in the same way whatever its next step is
        alike |= {point for point in died_at if re.match(r"advancing\.(take|read):", point)}
        if fault is not None and advancing.read(run.id).state == "sending":
            catalog.service.api.fault("item", **fault)
            fault = None
        catalog.service.clock.pauses_are_over()
        catalog.service.round()
    done = advancing.read(run.id)
    assert (done.state, done.reason) == ("complete", None)
    assert list(catalog.directory.glob(".*")) == [], "what the killed left beside the report is gone"
    return rounds


def _books_are_right(catalog: Enriched, sent: int) -> None:
    """What the API has metered is what was sent, and what the run says that it cost."""
    meter, counts = catalog.service.api.meter(), orjson.loads(find("shop-1").counts)
    assert (meter["requests"], meter["billed"], meter["nano"]) == (sent, sent, counts["cost_nano"])
    assert catalog.plan()["send"] == 0


@pytest.mark.timeout(900)
def test_killed_at_every_point_of_every_step_the_meter_has_each_row_once(catalog: Enriched) -> None:
    catalog.declare(more=f"[pilot]\nrows = 2\n[caps]\nmax_cost = 1\n{REPORT_TO}")
    catalog.write(shop(6))
    died_at = _killed_all_the_way(catalog)
    assert len(died_at) > 20
    assert [point for point in died_at if "a file is put in its place" in point], "it was killed within the report"
    _books_are_right(catalog, sent=6)
    assert [row["overnight_run"] for row in catalog.published()] == ["1"] * 6
    # who died just before sending it leaves the report to a worker; who died just after, sent it twice
    sending.send_all()
    messages = [orjson.loads(message) for message in process.redis_client().lrange("shop.reports", 0, -1)]
    assert {message["headers"]["id"] for message in messages} == {"report-shop-1"}
    assert len(messages) in (1, 2)


@pytest.mark.timeout(900)
def test_killed_at_every_point_of_the_retries_each_is_asked_and_paid_once_more(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 2")
    catalog.write(shop(8))
    died_at = _killed_all_the_way(catalog, fault={"do": "invalid_output", "count": 1})
    assert [point for point in died_at if "again.ask_again" in point]
    _books_are_right(catalog, sent=9)
    assert [row["overnight_problem"] for row in catalog.published()] == [""] * 8
    assert orjson.loads(find("shop-1").counts)["asked_again"] == 1


@pytest.mark.timeout(900)
def test_killed_at_every_point_between_two_retries_of_a_cut_off_answer_each_is_paid_once(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 2")
    catalog.write(shop(8))
    # the six rows behind the pilot, and one of their retries
    rounds = _killed_in_rounds(catalog, {"do": "cut_off", "count": 7})
    retries = [died_at for died_at in rounds if any("again.ask_again" in point for point in died_at)]
    assert len(retries) >= 2, "it was killed while it asked again, both times"
    _books_are_right(catalog, sent=15)
    assert [row["overnight_problem"] for row in catalog.published()] == [""] * 8
    counts = orjson.loads(find("shop-1").counts)
    assert (counts["asked_again"], counts["ok"]) == (6, 8)
    rooms = catalog.service.ledger.fetch_all("SELECT max_tokens FROM item ORDER BY id DESC LIMIT 2")
    assert [row["max_tokens"] for row in rooms] == [800, 400], "each time twice the room"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_killed_at_every_point_a_table_has_each_row_once(catalog: Enriched, kind: str) -> None:
    url = settings().database_url if kind == "postgresql" else f"sqlite:///{catalog.directory}/answers.db"
    catalog.declare(more="[pilot]\nrows = 2")
    declare_table(catalog, url, "answers_killed")
    catalog.write(shop(6))
    died_at = _killed_all_the_way(catalog)
    assert [point for point in died_at if point.endswith("before the table is committed")]
    assert [point for point in died_at if point.endswith("after the table is committed")]
    _books_are_right(catalog, sent=6)
    sink = sink_of(catalog.read())
    assert isinstance(sink, TableSink)
    with sink.connected() as table:
        rows = table.exec_driver_sql(
            "SELECT sku, overnight_run, overnight_problem FROM answers_killed ORDER BY sku"
        ).all()
        table.exec_driver_sql("DROP TABLE answers_killed")
    assert [tuple(row) for row in rows] == [(f"A{number}", 1, None) for number in range(6)]


@pytest.mark.timeout(900)
def test_killed_at_every_point_a_callback_hears_of_each_row(catalog: Enriched) -> None:
    catalog.service.configure(lane={"callbacks": ["shop.described"]})
    catalog.declare(more="[pilot]\nrows = 2")
    file = catalog.directory / "shop.toml"
    file.write_text(file.read_text().replace('path = "out.csv"', 'task = "shop.described"\nqueue = "shop"'))
    catalog.write(shop(6))
    _killed_all_the_way(catalog)
    _books_are_right(catalog, sent=6)
    deliver()
    rows = [outcome_of(message)["trace_id"] for message in catalog.service.queue()]
    assert sorted(rows) == [f'["A{number}"]' for number in range(6)], "each once, since nobody died while delivering"
