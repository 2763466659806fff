"""Every death one by one, on servers of its own: for `make chaos`, which has more time than the tests."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TypeVar

from overnight_workers.sandbox.process import running
from tests.chaos.deaths import Death, Stage
from tests.chaos.life import Sandbox
from tests.chaos.scenarios import SCENARIOS
from tests.servers import copy_database, running_postgres, running_redis

T = TypeVar("T")


@contextmanager
def own_stage() -> Iterator[Stage]:
    """Where scenarios can run outside the tests."""
    with (
        tempfile.TemporaryDirectory(prefix="overnight-chaos-") as home,
        running_postgres() as postgres,
        running_redis(Path(home) / "redis") as redis_url,
        running(Path(home) / "sandbox", "--instant") as sandbox,
    ):
        yield Stage(Path(home), copy_database(postgres.url), redis_url, Sandbox(sandbox.url, sandbox.data_dir))


class OneByOne:
    """Deaths in every scenario: all of them in a row, and then each alone as long as there is time.

    say: takes news.
    """

    def __init__(self, seed: int, say: Callable[[str], object]) -> None:
        self._draw, self._say = Random(f"{seed} one by one"), say
        self.in_a_row: Counter[str] = Counter()
        self.alone: Counter[str] = Counter()
        self.possible = 0
        """Deaths that the scenarios have."""
        self.wrong: list[str] = []

    def run(self, stage: Stage, seconds: float) -> None:
        """Kill for so long. What goes wrong is noted, with how to repeat it, and the next one is tried."""
        began = time.monotonic()
        deaths = {name: stage.deaths(name) for name in SCENARIOS}
        self.possible = sum(len(death) for death in deaths.values())
        self._say(f"{self.possible} deaths are possible in {len(deaths)} scenarios")
        for name in self._draw.sample(list(SCENARIOS), len(SCENARIOS)):
            if time.monotonic() - began > seconds / 2:
                break
            self._noted(f"--in-a-row {name!r}", lambda name: self._in_a_row(stage, name), name)
            self._say(f"{name}: killed at every point, {self.in_a_row.total()} points by now")
        every = [death for fault in deaths.values() for death in fault]
        for done, death in enumerate(self._draw.sample(every, len(every))):
            if time.monotonic() - began > seconds:
                break
            if done % 100 == 0:
                self._say(f"{done} deaths alone")
            self._noted(f"--death {death.scenario!r} {death.number}", lambda death: self._alone(stage, death), death)

    def _in_a_row(self, stage: Stage, name: str) -> None:
        for killed in stage.die_everywhere(name, set()):
            self.in_a_row.update(killed)

    def _alone(self, stage: Stage, death: Death) -> None:
        point = stage.die(death)
        if point is not None:
            self.alone[point] += 1

    def _noted(self, command: str, deed: Callable[[T], None], about: T) -> None:
        try:
            deed(about)
        except AssertionError as error:
            self.wrong.append(f"python -m tests.chaos {command}: {error}")
            self._say(self.wrong[-1])
