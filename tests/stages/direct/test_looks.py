"""What is looked up of whose turn it is serves for some turns: to look costs Postgres more than to take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from overnight_models.ledger.rows import fetch_all, fetch_column
from overnight_workers import process
from overnight_workers.anthropic_api.realtime import Reply
from overnight_workers.stages.direct import turns
from overnight_workers.stages.direct.recording import Done
from overnight_workers.stages.direct.requests import Request
from overnight_workers.stages.direct.turns import Turn, Turns
from tests.driving import Service, item

MESSAGE = (
    b'{"id": "msg", "type": "message", "role": "assistant", "model": "claude-haiku-5-5", "stop_reason": "end_turn",'
    b' "content": [{"type": "text", "text": "yes"}], "usage": {"input_tokens": 9, "output_tokens": 3}}'
)
ANSWER = Reply(200, True, MESSAGE, whole=True)


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


def test_turns_plan_each_statement_once_a_session(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_LOOK_S", 0.0)
    enqueue(service, 20)
    run = Turns()
    requests: list[Request] = []
    for _ in range(12):
        requests = [*run.turn([Done(each, ANSWER) for each in requests], 1).requests]
        assert len(requests) == 1
    plans = "SELECT sum(custom_plans) AS anew, sum(generic_plans) AS kept, count(*) AS statements"
    with process.database().transaction() as connection:
        (row,) = fetch_all(connection, f"{plans} FROM pg_prepared_statements WHERE statement ~ 'item|direct_claim'")
    assert row["statements"] >= 8, "the looks, the taking, the letting go and the recording"
    assert row["anew"] == 0, "planned for each turn: that takes longer than all they do"
    assert row["kept"] > 0


def test_a_quick_transaction_reads_no_table_whole_that_has_an_index(service: Service) -> None:
    enqueue(service, 1)
    explained = "EXPLAIN (COSTS OFF) SELECT * FROM item JOIN request ON item_id = id WHERE id = ANY('{1,2}')"
    with process.database().quick() as connection:
        plan = fetch_column(connection, str, explained)
    assert not [line for line in plan if "Seq Scan" in line], plan
