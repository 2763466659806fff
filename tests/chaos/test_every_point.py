"""Killed at every point: one scenario after the other, until there is no point at which nobody has died."""

from __future__ import annotations

from pathlib import Path

import pytest

from overnight_workers.sandbox.process import Running
from tests.chaos.deaths import Stage
from tests.chaos.life import Sandbox
from tests.chaos.scenarios import SCENARIOS

ON_THE_WAY = {"accept", "answer", "pack", "submit", "poll", "collect", "deliver", "rescue"}


@pytest.fixture
def stage(tmp_path: Path, emptied_url: str, redis_server: str, sandbox: Running) -> Stage:
    return Stage(tmp_path, emptied_url, redis_server, Sandbox(sandbox.url, sandbox.data_dir))


@pytest.fixture(scope="module")
def died_at() -> set[str]:
    """Points at which somebody has died, in whatever scenario."""
    return set()


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_at_every_point(stage: Stage, died_at: set[str], name: str) -> None:
    """What dies in one scenario isn't killed again in the next; `make chaos` does that, and each death alone."""
    for killed in stage.die_everywhere(name, died_at):
        died_at |= killed
    if name == "the whole way":
        # what is around all tasks is no stage: points of two stages would have one name, and one of them no death
        assert {point.partition(".")[0].partition(" ")[0] for point in died_at} >= ON_THE_WAY
