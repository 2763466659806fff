"""Twenty packers, a whole installation and one strict budget that is too small: what was reserved, spent and held.

    python -m tests.benchmarks.budgets [--items 4000] [--packers 20] [--cap 0.1]

The items stand in as many lanes as there are packers, all of one tenant. Each packer is a process that packs without a
pause; the installation submits, collects and settles meanwhile, and lets go of what was held. Somebody looks at the
budget all the time: reserved and spent together are never over the cap.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from threading import Thread
from typing import Annotated, Any, Final

import httpx2
import psycopg
import typer
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table

from overnight_producers import Item, Overnight
from tests.benchmarks.service import Service, running
from tests.benchmarks.work import params
from tests.faults.processes import OVERNIGHT

CONFIG: Final = """
{lanes}
[timing]
poll_every = "200ms"
sweep_every = "200ms"
"""
_LANE: Final = """
[lanes.lane{number}]
max_wait = "0s"
"""
SANDBOX: Final = ("--instant", "--answer-bytes", "400")
TENANT: Final = "acme"
MAX_TOKENS: Final = 200
_STILL_S: Final = 3.0
"""So long nothing moves when everything is over that can be."""

out = Console(width=100)


@dataclass
class Watched:
    """A budget, looked at all the time."""

    looks: int = 0
    most_nano: int = 0
    """Reserved and spent together, at most."""
    most_reserved_nano: int = 0


@dataclass
class Figures:
    """What came of it."""

    cap_nano: int = 0
    watched: Watched = field(default_factory=Watched)
    spent_nano: int = 0
    reserved_nano: int = 0
    billed_nano: int = 0
    """By the API's meter."""
    billed: int = 0
    """Items."""
    states: dict[str, int] = field(default_factory=dict)
    batches: int = 0
    seconds: float = 0.0
    reserved_of_billed_nano: int = 0
    """What had been reserved for those that were billed."""

    def assert_is_right(self) -> None:
        """Never over the cap; spent is what the API billed; nothing stays reserved, and nothing is under way."""
        assert self.watched.most_nano <= self.cap_nano, f"over the cap: {self.watched.most_nano} of {self.cap_nano}"
        assert self.spent_nano == self.billed_nano, f"spent {self.spent_nano}, billed {self.billed_nano}"
        assert self.reserved_nano == 0
        assert not {"waiting", "batched"} & self.states.keys(), self.states


def main(
    items: Annotated[int, typer.Option(help="How many.")] = 4_000,
    packers: Annotated[int, typer.Option(help="Processes that pack, and lanes.")] = 20,
    cap: Annotated[str, typer.Option(help="Dollars a day.")] = "0.1",
) -> None:
    """Run it, show it, and fail if it was ever over the cap."""
    figures = measure(items, packers, cap)
    show(figures, packers)
    figures.assert_is_right()


def measure(items: int, packers: int, cap: str) -> Figures:
    """One run."""
    lanes = "".join(_LANE.format(number=number) for number in range(packers))
    with running(CONFIG, sandbox=SANDBOX, lanes=lanes) as service:
        subprocess.run([*OVERNIGHT, "budget", "--tenant", TENANT, "--day", cap], check=True, capture_output=True)
        watched = Watched()
        began = time.monotonic()
        with packing(packers, service.home), watching(service, watched):
            overnight = Overnight(service.redis_url)
            for number in range(packers):
                some = range(number, items, packers)
                work = (Item(params=params(n) | {"max_tokens": MAX_TOKENS}, key=f"k{n}", tenant=TENANT) for n in some)
                overnight.enqueue_confirmed(work, lane=f"lane{number}", timeout=120)
            overnight.close()
            _wait_until_it_is_still(service)
        return _figures(service, watched, time.monotonic() - began - _STILL_S)


@contextmanager
def packing(packers: int, home: Path) -> Iterator[None]:
    """So many processes that pack, as long as the block lasts."""
    # imported when the installation's settings are there, and forked before anything is connected
    from overnight_workers.stages.pack.pack import pack

    processes = multiprocessing.get_context("fork")
    stop = processes.Event()
    children = [processes.Process(target=_pack, args=(pack, stop, home / "packers.log")) for _ in range(packers)]
    for child in children:
        child.start()
    yield
    stop.set()
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0] * packers, (home / "packers.log").read_text()[-2000:]


def _pack(pack: Callable[[], object], stop: Event, log: Path) -> None:
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    while not stop.wait(0.02):
        pack()


@contextmanager
def watching(service: Service, watched: Watched) -> Iterator[None]:
    """Somebody looks at the budget, again and again, as long as the block lasts."""
    over: list[bool] = []

    def look() -> None:
        with psycopg.connect(service.database_url, autocommit=True) as connection:
            while not over:
                row = connection.execute(_BOOKED).fetchone()
                assert row is not None
                watched.looks += 1
                watched.most_nano = max(watched.most_nano, row[0] + row[1])
                watched.most_reserved_nano = max(watched.most_reserved_nano, row[1])

    thread = Thread(target=look)
    thread.start()
    yield
    over.append(True)
    thread.join()


_BOOKED: Final = """
    SELECT coalesce(sum(spent_nano), 0)::bigint, coalesce(sum(reserved_nano), 0)::bigint FROM booking
"""


def _wait_until_it_is_still(service: Service) -> None:
    """All have their answer, but for those that the budget holds for good."""
    picture, since, deadline = None, time.monotonic(), time.monotonic() + 600
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        while time.monotonic() - since < _STILL_S:
            assert time.monotonic() < deadline, picture
            time.sleep(0.2)  # watched from outside
            now = connection.execute("SELECT state, count(*) FROM item GROUP BY state ORDER BY state").fetchall()
            if now != picture or any(state in ("waiting", "batched") for state, _ in now):
                picture, since = now, time.monotonic()


def _figures(service: Service, watched: Watched, seconds: float) -> Figures:
    meter = httpx2.get(f"{service.sandbox_url}/sandbox/meter").json()
    bills: list[Any] = [bill for workspace in meter["workspaces"].values() for bill in workspace["bill"]]
    with psycopg.connect(service.database_url, row_factory=dict_row) as connection:
        row = connection.execute(
            """
            SELECT (SELECT cap_nano FROM budget) AS cap, (SELECT count(*) FROM batch) AS batches,
                   (SELECT count(*) FROM bill) AS billed,
                   (SELECT sum(spent_nano)::bigint FROM booking) AS spent,
                   (SELECT sum(reserved_nano)::bigint FROM booking) AS reserved,
                   (SELECT sum(reserved_nano)::bigint FROM item JOIN bill ON item_id = id) AS reserved_of_billed
            """
        ).fetchone()
        states = connection.execute("SELECT state, count(*) AS n FROM item GROUP BY state").fetchall()
    assert row is not None
    return Figures(
        cap_nano=row["cap"],
        watched=watched,
        spent_nano=row["spent"],
        reserved_nano=row["reserved"],
        billed=row["billed"],
        billed_nano=sum(bill["nanodollars"] for bill in bills),
        states={state["state"]: state["n"] for state in states},
        batches=row["batches"],
        seconds=seconds,
        reserved_of_billed_nano=row["reserved_of_billed"],
    )


def show(figures: Figures, packers: int) -> None:
    """As a table."""
    billed = max(figures.billed, 1)
    table = Table(show_header=False, title=f"{packers} packers, one strict budget")
    rows = {
        "cap": _usd(figures.cap_nano),
        f"most ever reserved + spent, of {figures.watched.looks:,} looks": _usd(figures.watched.most_nano),
        "most ever reserved": _usd(figures.watched.most_reserved_nano),
        "spent": _usd(figures.spent_nano),
        "billed by the API": _usd(figures.billed_nano),
        "left": _usd(figures.cap_nano - figures.spent_nano - figures.reserved_nano),
        "billed": f"{figures.billed:,} items in {figures.batches:,} batches, {figures.seconds:.0f} s",
        "held": f"{figures.states.get('held', 0):,} items",
        "reserved for one, on average": _usd(figures.reserved_of_billed_nano // billed),
        "billed for one": _usd(figures.billed_nano // billed),
        "reserved / billed": f"{figures.reserved_of_billed_nano / max(figures.billed_nano, 1):.1f}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    out.print(table)


def _usd(nano: int) -> str:
    return f"${nano / 1e9:,.9f}"


if __name__ == "__main__":
    typer.run(main)
