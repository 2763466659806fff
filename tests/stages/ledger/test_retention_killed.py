"""Whoever drops a partition is killed at each point: nothing that must stay is lost, and the next sweep goes on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from multiprocessing.connection import Connection
from signal import SIGKILL
from typing import Final

import pytest

from overnight_models.ledger.partitions import PARTITION_ITEMS
from overnight_models.ledger.retention import bodies
from overnight_workers import held
from overnight_workers.cli import app
from overnight_workers.settings import settings
from overnight_workers.stages import retain
from tests.chaos import points
from tests.driving import Service, callback, item, read_command
from tests.forking import forked, processes
from tests.stages.ledger.test_retention import count, own, pass_partition

__all__ = ["own"]

KEEPS: Final = {"keep_deliveries": "1d", "keep_bodies": "2d", "keep_outcomes": "3d", "keep_keys": "4d"}


def _retain(environment: dict[str, str], deadly: int, said: Connection) -> None:
    """What a sweep drops; killed at the so-manieth point of that."""
    os.environ.clear()
    os.environ.update(environment)
    settings.cache_clear()
    held.forget()
    setattr(bodies, "_WINDOW", PARTITION_ITEMS // 2)  # noqa: B010 - it is final: copied in two windows
    reached = 0

    def reach(point: str) -> None:
        nonlocal reached
        reached += "retain.retain:" in point
        if reached == deadly:
            said.send(point)
            points.die()

    points.arm(reach)
    retain.retain()
    said.send(None)


def _die(deadly: int) -> str:
    """A sweep that is killed there; the name of the point."""
    reading, writing = processes.Pipe(duplex=False)
    process = processes.Process(target=_retain, args=(dict(os.environ), deadly, writing))
    with forked():
        process.start()
    writing.close()
    point = reading.recv()
    process.join()
    assert process.exitcode == -SIGKILL
    assert isinstance(point, str)
    return point


@dataclass(frozen=True)
class Kept:
    """What stays of four items, whatever their age: one is held, one is dead, and two are done."""

    rows: tuple[int, ...]
    asked: dict[int, str]
    answers: dict[int, str]
    costs: str


def _kept(service: Service) -> Kept:
    waits, dead = (service.ledger.item(key)["id"] for key in ("waits", "dead"))
    kept = tuple(
        count(service, table, f"{column} = ANY(ARRAY[{waits}, {dead}])")
        for table, column in (("item", "id"), ("request", "item_id"), ("item_key", "item_id"), ("delivery", "item_id"))
    )
    asked = {key: text for key, text in service.ledger.asked().items() if key in (waits, dead)}
    return Kept(kept, asked, service.ledger.answers(dead), read_command(app, "costs", "--json"))


def _two_done_one_held_one_dead(service: Service) -> None:
    keys = ("done", "done too", "waits", "dead")
    service.accept(*(item(key, f"{key} {'Every clause of it. ' * 100}", callback=callback()) for key in keys))
    service.finish()
    service.ledger.give_rows()
    service.ledger.execute("UPDATE item SET state = 'held', held_by = 1, batch_id = NULL WHERE id = 3")
    service.ledger.execute("DELETE FROM outcome WHERE item_id = 3")
    service.ledger.execute("DELETE FROM delivery WHERE item_id = 3")
    service.ledger.execute("UPDATE delivery SET state = 'dead' WHERE item_id = 4")
    pass_partition(service)
    service.ledger.execute("UPDATE kept SET looked_at = now() - interval '61 minutes'")


@pytest.mark.parametrize(
    ("hours", "steps", "is_gone"),
    [
        (25, 1, "SELECT count(*) = 1 AS gone FROM delivery"),
        (49, 4, "SELECT count(*) = 0 AS gone FROM request_group"),
        (73, 1, "SELECT count(*) = 2 AS gone FROM item"),
        (97, 2, "SELECT count(*) = 2 AS gone FROM item_key"),
    ],
    ids=["deliveries", "bodies", "outcomes", "keys"],
)
def test_killed_before_and_after_each_step(own: Service, hours: int, steps: int, is_gone: str) -> None:
    own.configure(lane=KEEPS)
    _two_done_one_held_one_dead(own)
    own.ledger.execute("UPDATE outcome SET finished_at = now() - make_interval(hours => %s)", hours)
    if hours == 49:
        own.ledger.execute("UPDATE kept SET deliveries_dropped_at = now()")
    before = _kept(own)
    own.restart()
    for _ in range(steps):
        assert _die(1).endswith("before commit")
        assert _kept(own) == before
        assert _die(2).endswith("after commit")
        assert _kept(own) == before
        own.ledger.execute("UPDATE kept SET finished_before = finished_before - interval '25 hours'")
        own.restart()
    retain.retain()
    assert own.ledger.fetch_one(is_gone)["gone"]
    assert _kept(own) == before
    leftover = "SELECT relname FROM pg_class WHERE relname ~ '_(copy|carried)_' AND relkind = 'r'"
    assert own.ledger.fetch_all(leftover) == []
