"""What is looked up of whose turn it is serves for some turns: to look costs Postgres more than to take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from overnight_workers import process
from overnight_workers.anthropic_api.realtime import Reply
from overnight_workers.stages.direct import turns
from overnight_workers.stages.direct.recording import Done
from overnight_workers.stages.direct.turns import Turn, Turns
from tests.driving import Service, item


@pytest.fixture(autouse=True)
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look is good for as long as a test takes."""
    monkeypatch.setattr(turns, "_LOOK_S", 600.0)


@contextmanager
def looks() -> Iterator[list[str]]:
    """The statements that ask where something is to be sent, and whose turn it is there."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: Any) -> None:
        if "WITH RECURSIVE" in statement:
            asked.append(statement)

    engine = process.database().engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


def keys(service: Service, turn: Turn) -> list[str]:
    of = {row["item_id"]: row["key"] for row in service.ledger.fetch_all("SELECT item_id, key FROM request")}
    return [of[request.asked.item_id] for request in turn.requests]


def enqueue(service: Service, items: int) -> None:
    limits = {"requests": 10**6, "input_tokens": 10**9, "output_tokens": 10**9}
    service.configure(lane={"road": "direct"}, workspaces={"default": {"limits": {"*": limits}}})
    service.accept(*(item(f"{n:03}") for n in range(items)))


def test_three_turns_look_once_and_go_in_order(service: Service) -> None:
    enqueue(service, 30)
    run = Turns()
    with looks() as asked:
        sent = [keys(service, run.turn((), 5)) for _ in range(3)]
    assert [key for turn in sent for key in turn] == [f"{n:03}" for n in range(15)]
    assert len(asked) == 2, "one where, and one whose turn"


def test_what_others_have_taken_meanwhile_is_looked_up_anew_in_the_same_turn(service: Service) -> None:
    enqueue(service, 20)
    run, other = Turns(), Turns()
    assert len(run.turn((), 5).requests) == 5
    assert len(other.turn((), 15).requests) == 15
    service.accept(*(item(f"new{n}") for n in range(5)))
    assert keys(service, run.turn((), 5)) == [f"new{n}" for n in range(5)]


@pytest.mark.parametrize("pauses", ["its call was limited", "its workspace is held"])
def test_after_a_call_that_was_not_taken_nothing_goes_by_the_last_look(service: Service, pauses: str) -> None:
    enqueue(service, 20)
    run = Turns()
    (request, *_) = run.turn((), 5).requests
    reply = Reply(429, True, retry_after_s=60.0) if "limited" in pauses else Reply(401, True, text="no such key")
    assert list(run.turn([Done(request, reply)], 5).requests) == []


def test_a_look_is_over_after_a_moment(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    enqueue(service, 20)
    run = Turns()
    run.turn((), 5)
    monkeypatch.setattr(turns, "_LOOK_S", 0.0)
    service.ledger.execute("UPDATE lane SET paused_at = now()")
    assert list(run.turn((), 5).requests) == []
