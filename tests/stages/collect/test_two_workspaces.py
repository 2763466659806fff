"""Workspaces are read side by side: results of one that break off or stall delay no other's."""

from __future__ import annotations

import pytest

from overnight_models.ledger.collect import collect as ledger
from overnight_workers import process
from overnight_workers.anthropic_api import result_lines
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, item


def ended_in_two_workspaces(service: Service, monkeypatch: pytest.MonkeyPatch, *, first: int) -> None:
    """So many batches of the workspace `default`, which ended first, and one of the workspace `two`."""
    service.configure(
        lanes={"other": {"workspace": "two", "max_wait": "0s"}}, workspaces={"two": {"api_key_env": "TWO_KEY"}}
    )
    monkeypatch.setenv("TWO_KEY", f"{service.api.key}two")
    for number in range(first):
        service.accept(item(f"first{number}"))
        pack()
        submit()
        poll()
    service.accept(item("other"), lane="other")
    pack()
    submit()
    poll()
    assert service.ledger.states("batch") == ["ended"] * (first + 1)


def workspace_read_next(service: Service) -> str | None:
    """Whose results another reader takes now."""
    owner = service.other_process().owner()
    with process.database().transaction() as connection:
        reading = ledger.claim(connection, owner=owner, lease_s=60)
    return None if reading is None else reading.workspace


def test_results_that_stall_in_a_workspace_delay_no_other_workspace(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_in_two_workspaces(service, monkeypatch, first=4)
    monkeypatch.setattr(result_lines, "STALL_S", 0.3)
    service.api.fault("results", "stall", lines=0, seconds=2)
    assert collect().startswith("5 batches: 1 succeeded")
    before = service.ledger.fetch_one(
        "SELECT count(*) AS n FROM submission, outcome WHERE next_read_at - interval '2 s' < finished_at"
    )
    assert before["n"] == 1, "the other workspace's results were read after the first that stalled"


def test_readers_take_workspaces_in_turn(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    ended_in_two_workspaces(service, monkeypatch, first=3)
    read = [workspace_read_next(service) for _ in range(5)]
    assert read == ["default", "two", "default", "default", None]


def test_a_workspace_whose_results_break_off_has_one_reader_at_a_time(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_in_two_workspaces(service, monkeypatch, first=4)
    service.ledger.execute(
        "UPDATE submission SET reads = 1, next_read_at = now() + interval '1 min' WHERE batch_id = 1"
    )
    read = [workspace_read_next(service) for _ in range(3)]
    assert read == ["two", "default", None], "a second reader is left for other workspaces"
    service.ledger.execute("UPDATE submission SET misses = reads WHERE batch_id = 1")
    assert workspace_read_next(service) == "default", "lines that are missing hold no reader"
