"""Accept: items become rows once per key; a bad one is turned down alone, whatever is wrong with it."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from celery.exceptions import Reject

from overnight_models.errors import TransientError
from overnight_models.ledger.accept import begin
from overnight_models.ledger.copying import copy_lines, driver_connection
from overnight_models.ledger.rows import fetch_all
from overnight_workers import process
from overnight_workers.stages.accept.accept import MAX_TRIES, accept
from tests.driving import Service, callback, item, params, text_of
from tests.waiting import wait_until

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
NO_ITEMS = {line: line for line in ("not JSON", "[]", "5", "null", "{}", '"x"', '{"id": null, "key": null}')}
# Fields that once broke a later stage, or the whole message.
BAD: dict[str, dict[str, Any]] = {
    "an id that is a number": {"id": 5},
    "an id that is no UUID": {"id": "x"},
    "an id that is a list": {"id": []},
    "a key that is a number": {"key": 5},
    "a key with NUL": {"key": "a\x00"},
    "a tenant that is an object": {"tenant": {"a": 1}},
    "a trace with NUL": {"trace_id": "\x00"},
    "betas that are a number": {"betas": 5},
    "betas of numbers": {"betas": [5, "a"]},
    "a header in a beta": {"betas": ["a\r\nx: y"]},
    "a callback that is a text": {"callback": "shop.save"},
    "a queue with NUL": {"callback": callback("a\x00")},
    "a callback's args that are a text": {"callback": callback(args="abc")},
    "a callback's argument with NUL": {"callback": callback(kwargs={"a": ["x\x00"]})},
    "an output that is a list": {"output": [1]},
    "an output that is no schema": {"output": {"type": "sting"}},
    "an output with a pattern that is none": {"output": {"type": "string", "pattern": "("}},
    "an output that refers to elsewhere": {"output": {"$ref": "http://127.0.0.1:1/schema.json"}},
    "an output that refers to nothing": {"output": {"$ref": "#/$defs/None"}},
    "a schema in the request that is none": {
        "params": params(output_config={"format": {"type": "json_schema", "schema": {"type": "sting"}}})
    },
    "no params": {"params": None},
}  # fmt: skip


def test_a_message_twice_is_accepted_once(service: Service) -> None:
    message_id = str(uuid4())
    first = service.accept(item("a"), item("b"), message_id=message_id)
    assert service.accept(item("c"), message_id=message_id) == first == {"accepted": 2, "known": 0, "rejected": []}
    assert service.ledger.states("item") == ["waiting", "waiting"]


def test_the_same_key_and_content_is_the_same_item(service: Service) -> None:
    service.accept(item("a"))
    again = item("a", params=dict(reversed(params(text_of("a")).items())))
    assert service.accept(again, item("b")) == {"accepted": 1, "known": 1, "rejected": []}
    assert service.accept(item("c"), item("c")) == {"accepted": 1, "known": 1, "rejected": []}
    assert len(service.ledger.states("item")) == 3


@pytest.mark.parametrize("more", [{"text": "other"}, {"betas": ["b"]}, {"output": SCHEMA}])
def test_the_same_key_with_other_content_is_a_conflict(service: Service, more: dict[str, Any]) -> None:
    service.accept(item("a"))
    verdict = service.accept(item("b"), item("a", **more))
    assert (verdict["accepted"], verdict["known"]) == (1, 0)
    (conflict,) = verdict["rejected"]
    assert (conflict["index"], conflict["key"]) == (1, "a")
    assert "give this one another key" in conflict["why"]


def test_a_key_belongs_to_its_lane(service: Service) -> None:
    service.configure(lanes={"night": {}})
    service.accept(item("a"))
    assert service.accept(item("a", "other"), lane="night")["accepted"] == 1


@pytest.mark.parametrize("bad", [NO_ITEMS, BAD], ids=["no items", "bad items"])
def test_bad_items_are_turned_down_alone(service: Service, bad: dict[str, Any]) -> None:
    lines = [line if isinstance(line, str) else item(f"bad{n}") | line for n, line in enumerate(bad.values())]
    verdict = service.accept(item("a"), *lines, item("b"))
    turned_down = {list(bad)[rejection["index"] - 1]: rejection["why"] for rejection in verdict["rejected"]}
    assert set(turned_down) == set(bad)
    assert all(turned_down.values())
    assert verdict["accepted"] == 2


def test_every_item_is_answered_for_by_its_position(service: Service) -> None:
    service.accept(item("taken", "other"))
    verdict = service.accept(item("taken"), "x", item("a"), item("b", params={}), item("a"))
    assert (verdict["accepted"], verdict["known"]) == (1, 1)
    assert [rejection["index"] for rejection in verdict["rejected"]] == [0, 1, 3]


def test_an_unknown_lane_is_answered(service: Service) -> None:
    verdict = service.accept(item("a"), item("b"), lane="night")
    assert [rejection["index"] for rejection in verdict["rejected"]] == [0, 1]
    assert "there is no lane 'night'" in verdict["rejected"][0]["why"]


def test_a_run_with_a_name_that_can_not_be_kept_is_answered(service: Service) -> None:
    assert "run" in service.accept(item("a"), run="a\x00")["rejected"][0]["why"]


def test_a_message_of_tomorrow_is_answered(service: Service) -> None:
    message_id = str(uuid4())
    accept(v=2, message_id=message_id, lane="default", items="a\nb", something="new")
    assert [rejection["index"] for rejection in service.ledger.verdict(message_id)["rejected"]] == [0, 1]
    assert "update the workers" in service.ledger.verdict(message_id)["rejected"][0]["why"]


def test_each_lane_speaks_its_own_api_version(service: Service) -> None:
    service.configure(lanes={"old": {"api_version": "2023-06-01", "max_wait": "0s"}})
    warm = params(temperature=0.5)
    assert "no `temperature`" in service.accept(item("a", params=warm))["rejected"][0]["why"]
    assert service.accept(item("a", params=warm), lane="old")["accepted"] == 1
    service.finish()
    assert service.ledger.item("a")["state"] == "succeeded"


def test_a_message_that_kills_its_worker_is_counted_and_finally_rejected(service: Service) -> None:
    message_id = uuid4()
    for _ in range(MAX_TRIES):  # what a killed worker leaves behind
        with process.database().transaction() as connection:
            begin(connection, {message_id})
    verdict = service.accept(item("a"), item("b"), message_id=str(message_id))
    assert verdict["accepted"] == 0
    assert f"failed {MAX_TRIES} times" in verdict["rejected"][0]["why"]


def test_a_message_is_counted_even_when_it_can_not_be_parsed(service: Service) -> None:
    message_id = str(uuid4())
    with pytest.raises(Reject) as caught:  # back into the queue, until it has been tried often enough
        accept(v=1, message_id=message_id, lane="default", items=None)
    assert vars(caught.value)["requeue"] is True
    assert service.ledger.fetch_one("SELECT tries FROM inbox WHERE message_id = %s", UUID(message_id))["tries"] == 1


def test_a_database_that_is_away_puts_the_message_back(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERNIGHT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    service.restart()
    with pytest.raises(Reject) as caught:
        service.accept(item("a"))
    assert vars(caught.value)["requeue"] is True
    monkeypatch.setenv("OVERNIGHT_DATABASE_URL", service.database_url)
    service.restart()


def test_a_connection_that_is_cut_in_the_middle_of_a_copy_is_a_transient_error(service: Service) -> None:
    def cut_off() -> None:
        with process.database().transaction() as connection:
            pid = driver_connection(connection).info.backend_pid
            service.ledger.execute("SELECT pg_terminate_backend(%s)", pid)
            wait_until(lambda: not service.ledger.fetch_all("SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid))
            copy_lines(connection, "run (name)", b"a\n")

    with pytest.raises(TransientError):
        cut_off()
    service.accept(item("a"))


def test_a_copy_that_waits_too_long_for_a_lock_is_a_transient_error(service: Service) -> None:
    def wait_for_the_lock() -> None:
        with process.database().transaction() as connection:
            fetch_all(connection, "SET LOCAL lock_timeout = '20ms'")
            copy_lines(connection, "run (name)", b"a\n")

    with psycopg.connect(service.database_url) as other:
        other.execute("LOCK TABLE run IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TransientError):
            wait_for_the_lock()
