"""Races between two sweeps."""

from __future__ import annotations

import pytest

from overnight_models import crash_points
from overnight_models.ledger import deployment
from overnight_workers import process
from overnight_workers.stages.poll import restored
from tests.driving import Service, item


def test_a_position_that_another_sweep_notes_meanwhile_is_no_step_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the point at which the first asks how far the log was, a second one comes and goes."""
    restored.notice()

    def another(what: str) -> None:
        if what == "before the position is asked for":
            monkeypatch.setattr(crash_points, "armed", None)
            service.accept(item("a"))
            restored.notice()

    monkeypatch.setattr(crash_points, "armed", another)
    restored.notice()
    with process.database().transaction() as connection:
        assert deployment.read(connection).moved_at is None
