"""One life of a process that does the workers' tasks: a real process, forked from one that has imported everything.

It takes the steps of a scenario from where the last one died, and is killed at a point, or sees everything home.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
import redis

from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.measure.measure import measure
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from overnight_workers.stages.webhooks.webhooks import webhooks
from tests.chaos import points
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.steps import a_minute_later, held_long_enough, products_acknowledge, the_key_is_there
from tests.chaos.webhook_product import SECRET_OF_SHOP
from tests.driving import Service
from tests.endpoints import SECRET
from tests.forking import forked, processes
from tests.service.api import Api
from tests.service.ledger import Json


@dataclass(frozen=True)
class Sandbox:
    """The API, for those that didn't start it."""

    url: str
    data_dir: Path


@dataclass(frozen=True)
class World:
    """Where one run of a scenario happens: an empty database, an empty Redis, a workspace of its own at the API."""

    home: Path
    database_url: str
    redis_url: str
    api: Api
    name: str
    product_url: str = ""
    """Of a product that takes webhooks."""


Same = frozenset[tuple[str, str]]
"""Pairs of points: dying at the first is the same as dying at the second, right behind it."""


@dataclass(frozen=True)
class Doom:
    """When a life ends: at the so-manieth point that it reaches, or at the first one that isn't spared."""

    number: int | None = None
    spared: frozenset[str] | None = None
    from_step: int = 0
    """No end before this step of the scenario."""
    same: Same = frozenset()
    """A life isn't ended at the first of such a pair, but at the second."""


class Fate:
    """What a doom makes of the points of one life, one after the other."""

    def __init__(self, doom: Doom) -> None:
        self._doom = doom
        self._put_off = {first for first, _ in doom.same}
        self._number, self._owed = 0, False
        self._before: tuple[int, str] = -1, ""

    def strikes(self, step: int, point: str) -> bool:
        """Whether it ends here."""
        doom, before, self._before = self._doom, self._before, (step, point)
        self._number += 1
        follows = before[0] == step and (before[1], point) in doom.same
        is_new = doom.spared is not None and step >= doom.from_step and point not in doom.spared
        self._owed = is_new or (self._owed and follows)
        return self._number == doom.number or (self._owed and point not in self._put_off)


@dataclass(frozen=True)
class Lived:
    """What one life was."""

    points: tuple[str, ...]
    """Every point that it reached, in order."""
    steps: tuple[int, ...]
    """The step in which it reached each of them."""
    step: int
    """The step that it was in last."""
    killed: bool
    steps_end_at: int
    """So many of the points it had reached when all steps were taken; the others are of the way home."""

    @property
    def on_the_way(self) -> frozenset[str]:
        """The points of its steps: where one may be killed."""
        return frozenset(self.points[: self.steps_end_at])


class DiedOfSomethingElse(AssertionError):
    """A process that neither was killed at a point nor came to its end."""


def live(
    world: World,
    scenario: str,
    *,
    first: int = 0,
    doom: Doom | None = None,
    rescued: bool = False,
    marks: bool = False,
) -> Lived:
    """Let a process live.

    first: the step to begin with.
    rescued: the beat comes before it.
    marks: at each point it leaves a mark with Postgres and with Redis, while it sees everything home too.
    """
    reading, writing = processes.Pipe(duplex=False)
    course = _Course(scenario, first, doom or Doom(), rescued, marks)
    arguments = (world, course, writing)
    process = processes.Process(target=_live, args=arguments, daemon=True)
    with forked():
        process.start()
    writing.close()
    reached, steps, step, last_words, doomed, steps_end_at = [], [], first, "", False, 0
    for kind, value in _heard(reading):
        match kind:
            case "point":
                reached.append(value)
                steps.append(step)
            case "step":
                step = value
            case "doom":
                doomed = True
            case "home":
                steps_end_at = len(reached)
            case _:
                last_words = value
    process.join()
    killed = process.exitcode == -SIGKILL and doomed
    if process.exitcode != 0 and not killed:
        log = (world.home / "log").read_text(errors="replace")[-3000:]
        raise DiedOfSomethingElse(f"exit code {process.exitcode} after {reached[-1:]}: {last_words}\n{log}")
    return Lived(tuple(reached), tuple(steps), step, killed, steps_end_at)


def _heard(reading: Connection) -> Iterator[tuple[str, Any]]:
    try:
        while True:
            yield reading.recv()
    except EOFError:
        reading.close()


# --- in the process ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Course:
    """What a process is told."""

    scenario: str
    first: int
    doom: Doom
    rescued: bool
    marks: bool


def _live(world: World, course: _Course, said: Connection) -> None:
    scenario = SCENARIOS[course.scenario]
    step, fate = course.first, Fate(course.doom)

    def reach(point: str) -> None:
        said.send(("point", point))
        if course.marks:
            _mark(service, point)
        if fate.strikes(step, point):
            said.send(("doom", point))
            points.die()

    _say_into(world.home / "log")
    with pytest.MonkeyPatch.context() as patch:
        service = Service(world.home, world.database_url, world.redis_url, world.api, patch, world.name)
        try:
            patch.setenv(SECRET_OF_SHOP, SECRET)
            service.configure(**_settings(world, scenario.settings))
            points.arm(reach)
            if course.rescued:
                sweep()
            for step in range(course.first, len(scenario.steps)):
                said.send(("step", step))
                scenario.steps[step](service)
            said.send(("home", None))
            if not course.marks:
                points.disarm()
            come_home(service)
            if course.marks:
                _mark(service, "of the end")
        except BaseException as error:
            said.send(("error", repr(error)))
            raise
        finally:
            service.close()


def _say_into(path: Path) -> None:
    with path.open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)


def _mark(service: Service, point: str) -> None:
    service.ledger.fetch_all(f"SELECT 'point {point}'")
    with redis.Redis.from_url(service.redis_url) as client:
        client.echo(f"point {point}")


def _settings(world: World, given: Mapping[str, Any]) -> Json:
    written = json.dumps(given).replace("{home}", str(world.home)).replace("{redis_url}", world.redis_url)
    written = written.replace("{product}", world.product_url)
    document: Json = json.loads(written)
    return document


def come_home(service: Service) -> None:
    """Everything goes on undisturbed until nothing moves any more; what time would end has ended."""
    the_key_is_there(service)
    service.api.faults_are_over()
    for _ in range(30):
        sweep()
        under_way = service.ledger.fetch_all("SELECT * FROM submission WHERE state IN ('claimed', 'sending')")
        assert under_way == [], "whose process is dead is known at once, without waiting for its lease"
        _time_passes(service)
        for stage in (measure, pack, submit, poll, collect, direct, deliver, webhooks):
            stage()
        if not _unfinished(service):
            return
    raise AssertionError(f"it doesn't come home: {_unfinished(service)}")


def _time_passes(service: Service) -> None:
    service.clock.pauses_are_over()
    service.clock.quiet_is_over()
    service.ledger.execute("UPDATE direct_claim SET lease_until = now() - interval '1 s' WHERE done_at IS NULL")
    held_long_enough(service)
    a_minute_later(service)
    service.ledger.execute("UPDATE delivery SET due_at = now() WHERE state IN ('sending', 'awaiting_ack')")
    service.ledger.execute("UPDATE hand_over SET due_at = now()")
    service.ledger.execute("UPDATE target SET sender_until = now() WHERE sender IS NOT NULL")
    products_acknowledge(service)


def _unfinished(service: Service) -> list[Json]:
    return service.ledger.fetch_all(
        """
        SELECT 'item' AS what, state, count(*) AS n FROM item
        WHERE state NOT IN ('succeeded', 'failed', 'canceled', 'redone') GROUP BY state
        UNION ALL SELECT 'submission', state, count(*) FROM submission
        WHERE state NOT IN ('void', 'lost', 'done') GROUP BY state
        UNION ALL SELECT 'batch', state, count(*) FROM batch
        WHERE state NOT IN ('collected', 'split', 'failed', 'canceled', 'gone') GROUP BY state
        UNION ALL SELECT 'delivery', state, count(*) FROM every_delivery
        WHERE state NOT IN ('delivered', 'dead') GROUP BY state
        """
    )
