"""Deaths: a scenario runs undisturbed, and again with a process that is killed at a point, or at one after another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import redis

from overnight_workers.stages.accept.accept import MAX_TRIES
from tests.chaos.books import assert_books_are_right, assert_webhooks_are_right, other_connections
from tests.chaos.life import Doom, Lived, Same, World, live
from tests.chaos.same_deaths import covered_by_the_last
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.webhook_product import a_product
from tests.driving import Service, name_of_this_test
from tests.servers import empty_database
from tests.service.api import Api
from tests.waiting import wait_until

_OWN_NOTHING: Final = frozenset({"accept", "answer", "pack", "poll"})
"""Stages whose transactions are rolled back or are the whole of their work: to take their step again is enough."""


@dataclass(frozen=True)
class Death:
    """One point at which a run may be killed."""

    scenario: str
    number: int
    """Points that it reaches, the last one deadly."""
    point: str

    def __str__(self) -> str:
        return f"{self.scenario!r}, point {self.number}: {self.point}"


class Stage:
    """Where scenarios run, one after the other."""

    def __init__(self, home: Path, database_url: str, redis_url: str, api: Api) -> None:
        self._home, self._database_url, self._redis_url, self._api = home, database_url, redis_url, api

    def deaths(self, name: str) -> list[Death]:
        """The deaths that an undisturbed run might have had, in order."""
        return [Death(name, number, point) for number, point in enumerate(self.undisturbed(name).points, 1)]

    def undisturbed(self, name: str, *, marks: bool = False) -> Lived:
        """Run it without a death. marks: see `live`."""
        scenario = SCENARIOS[name]
        with self.watched() as (world, service):
            lived = live(world, name, marks=marks)
            _wait_for_the_last_connection(service)
            assert service.ledger.fetch_all(scenario.shows), f"{name}: this isn't what happened"
            assert_books_are_right(service, world, scenario)
        return lived

    def die(self, death: Death) -> str | None:
        """Run it to its death; then another process takes the same step again and goes on to the end.

        Returns the point at which it died: on a slow machine bells stop ringing earlier, and it may be another one;
        None when it came to its end before.
        """
        with self.watched() as (world, service):
            lived = live(world, death.scenario, doom=Doom(death.number))
            _wait_for_the_last_connection(service)
            if lived.killed:
                live(world, death.scenario, first=lived.step)
                _wait_for_the_last_connection(service)
            assert_books_are_right(service, world, SCENARIOS[death.scenario])
        return lived.points[-1] if lived.killed else None

    def die_everywhere(
        self, name: str, died_at: set[str], before: Lived | None = None, same: Same = frozenset()
    ) -> Iterator[set[str]]:
        """Run it again and again, until nobody is left to die on the way: a death may keep others from being reached.

        died_at: points that are spared. Yields for each run the points at which it died.
        before: an undisturbed run. The last of these runs, in which nobody dies, would be the same once more.
        same: pairs of points at which a death is the same (`same_deaths`): the second is enough, behind the first.
        """
        spared = set(died_at)
        while before is None or not before.on_the_way <= spared:
            killed, reached = self.die_at_all_but(name, spared, same)
            yield killed
            spared |= killed
            if not killed and not same:
                assert reached <= spared, f"never dies at {reached - spared}"
                return
            if not killed:
                same = frozenset()  # points behind which nobody dies any more

    def die_at_all_but(self, name: str, spared: set[str], same: Same = frozenset()) -> tuple[set[str], set[str]]:
        """Run it with a process that is killed at every point in turn, once at each; only these are spared.

        Returns the points at which it was killed, or might have been with no difference (`same`), and all that it
        reached. They differ because a message that kills its worker too often is turned down: it kills once less.
        """
        died_at: set[str] = set()
        reached: set[str] = set()
        deaths_by_message: dict[int, int] = {}
        with self.watched() as (world, service):
            step, from_step, last = 0, 0, ""
            while True:
                doom = Doom(spared=frozenset(spared | died_at), from_step=from_step, same=same)
                lived = live(world, name, first=step, doom=doom, rescued=_had_an_owner(last))
                _wait_for_the_last_connection(service)
                reached.update(lived.points)
                if not lived.killed:
                    break
                step, last = lived.step, lived.points[-1]
                died_at |= {last} | covered_by_the_last(lived, same)
                if last.startswith("accept"):
                    deaths_by_message[step] = deaths_by_message.get(step, 0) + 1
                    if deaths_by_message[step] == MAX_TRIES - 1:
                        from_step = step + 1
            assert_books_are_right(service, world, SCENARIOS[name])
        return died_at - spared, reached

    @contextmanager
    def watched(self) -> Iterator[tuple[World, Service]]:
        """A world of its own, and somebody who looks at it and does nothing in it."""
        empty_database(self._database_url)
        with redis.Redis.from_url(self._redis_url) as client:
            client.flushall()
        name = name_of_this_test()
        home = self._home / name
        home.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            service = Service(home, self._database_url, self._redis_url, self._api, patch, name)
            try:
                with a_product(self._database_url) as product:
                    world = World(home, self._database_url, self._redis_url, self._api, name, product.url)
                    yield world, service
                    assert_webhooks_are_right(service, product)
            finally:
                service.close()


def _had_an_owner(point: str) -> bool:
    """Whether a stage that died there, if anywhere, may have left what was its own: then the beat comes first.

    A sweep is most of what a life costs. What dies in the sweep is taken up by the next sweep.
    """
    return point != "" and re.split(r"[ .]", point, maxsplit=1)[0] not in _OWN_NOTHING


def _wait_for_the_last_connection(service: Service) -> None:
    """A process that is dead has no connection; Postgres has noticed when its lock is gone, too."""
    wait_until(lambda: not other_connections(service))
