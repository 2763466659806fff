"""Ctrl-C at each step of `overnight enrich`: it detaches and says so, the next one goes on, nothing is paid twice."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Timer

import orjson
import pytest

from overnight_workers.catalogs.opened import duck
from overnight_workers.catalogs.runs.finding import find
from tests.chaos import points
from tests.forking import _become, forked, processes
from tests.stages.catalogs.conftest import Enriched, shop
from tests.stages.catalogs.test_runs_wait import work
from tests.waiting import wait_until

STEPS = (
    *("planning._keep", "before go_ahead", "before enqueuing", "after enqueuing", "before send", "before retry"),
    *("again.ask_again", "before publish", "before the file is replaced", "before a file is put in its place"),
    *("before the run ends", "after the run has ended"),
)
"""Words of points: of the plan, the pilot, the rest, the retries, the sink, the report, and the end."""


def _interrupted(
    environment: dict[str, str], directory: str, said_to: str, spared: frozenset[str], heard: Connection
) -> None:
    """`overnight enrich`, with Ctrl-C at the first of the steps that isn't spared."""

    def reach(point: str) -> None:
        step = next((step for step in STEPS if step in point and step not in spared), None)
        if step is not None and not sent:
            sent.append(step)
            heard.send(step)
            os.kill(os.getpid(), signal.SIGINT)

    sent: list[str] = []
    points.arm(reach)
    out = Path(said_to)
    out.touch()
    _become(["overnight", "enrich", f"{directory}/shop.toml"], environment, Path(directory), out, out)


def enrich(catalog: Enriched, spared: set[str], number: int) -> tuple[str | None, int | None, str]:
    """Where it was interrupted, if anywhere; how it ended; what it said."""
    out = catalog.directory / f"interrupted-{number}.out"
    reading, writing = processes.Pipe(duplex=False)
    arguments = (dict(os.environ), str(catalog.directory), str(out), frozenset(spared), writing)
    with forked():
        process = processes.Process(target=_interrupted, args=arguments)
        process.start()
    writing.close()

    def is_over() -> bool:
        unfinished = "SELECT FROM item WHERE state NOT IN ('succeeded', 'failed', 'canceled', 'redone')"
        if catalog.service.ledger.fetch_all(unfinished):
            catalog.service.clock.pauses_are_over()
            catalog.service.round()
        return process.exitcode is not None

    wait_until(is_over, 120)
    step: str | None = None
    with suppress(EOFError):
        step = reading.recv()
    return step, process.exitcode, " ".join(out.read_text().split())


@pytest.mark.timeout(900)
def test_ctrl_c_at_each_step_detaches_and_the_next_enrich_goes_on_with_nothing_paid_twice(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 2")
    catalog.write(shop(6))
    done: set[str] = set()
    state = ""
    while state != "complete":
        step, exit_code, said = enrich(catalog, done, len(done))
        state = find("shop-1").state
        assert "Traceback" not in said, said
        if step is None:
            assert exit_code == 0, said
            break
        done.add(step)
        assert exit_code == 130, (step, said)
        ended = state == "complete"
        assert ("detached: shop-1 is over (complete)" if ended else "detached: the workers go on with shop-1") in said
        assert not find("shop-1").is_owned
        if step == "before send":  # the pilot is over: one of the others has to be asked again
            catalog.service.api.fault("item", "invalid_output", count=1)
    assert done == set(STEPS)
    meter, counts = catalog.service.api.meter(), orjson.loads(find("shop-1").counts)
    assert (meter["requests"], meter["billed"], meter["nano"]) == (7, 7, counts["cost_nano"])
    assert len(catalog.published()) == 6
    assert [path.name for path in catalog.directory.glob(".*")] == []


def test_after_ctrl_c_the_workers_go_on_to_the_end_by_themselves(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 2")
    catalog.write(shop(6))
    step, exit_code, said = enrich(catalog, {step for step in STEPS if step != "before enqueuing"}, 1)
    assert (step, exit_code) == ("before enqueuing", 130), said
    done = work(catalog, find("shop-1"))
    assert (done.state, catalog.sent, len(catalog.published())) == ("complete", 6, 6)


def _asked(environment: dict[str, str], directory: str, said_to: str) -> None:
    """`overnight enrich` at a terminal where nobody types anything."""
    reading, _ = os.pipe()
    sys.stdin = os.fdopen(reading)
    out = Path(said_to)
    _become(["overnight", "enrich", f"{directory}/shop.toml"], environment, Path(directory), out, out)


def test_ctrl_c_at_the_question_detaches_from_a_run_that_still_asks(catalog: Enriched) -> None:
    catalog.write(shop(3))
    assert catalog.run().state == "complete"
    catalog.declare(prompt="Praise {{ name }} of {{ maker }}")
    out = catalog.directory / "asked.out"
    out.touch()
    at_a_terminal = dict(os.environ) | {"FORCE_COLOR": "1"}
    with forked():
        process = processes.Process(target=_asked, args=(at_a_terminal, str(catalog.directory), str(out)))
        process.start()
    wait_until(lambda: "Send it?" in out.read_text())
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    wait_until(lambda: process.exitcode is not None)
    said = " ".join(out.read_text().split())
    assert process.exitcode == 130, said
    assert "detached: shop-2 sends nothing before `overnight runs approve shop-2`" in said
    assert (find("shop-2").state, catalog.sent) == ("asking", 3)


def test_ctrl_c_in_a_query_of_duckdb_is_one_as_anywhere_else() -> None:
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    try:
        with pytest.raises(KeyboardInterrupt):
            _query_until_interrupted(timer)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, old)


def _query_until_interrupted(timer: Timer) -> None:
    long = "SELECT sum(a.range * b.range) FROM range(2000) a, range(20000) b"
    with duck() as connection:
        timer.start()
        for _ in range(10_000):  # the signal may come between two queries
            connection.execute(long).fetchall()
