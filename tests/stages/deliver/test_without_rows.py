"""What is handed over at once needs no row of its own: it is shown, sent again, purged and kept as if it had one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from overnight_models.ledger.deliver import deliver as ledger
from overnight_models.ledger.deliver.due import Due
from overnight_models.ledger.deliver.targets import Target
from overnight_models.ledger.operators import delivery_list, item_list
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.retention import undone
from overnight_models.ledger.retention.keep import bounds
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.stages import api_deletions
from overnight_workers.stages.deliver import deliver as stage
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, callback, item, read_command
from tests.sums import assert_sums_are_right

HandOvers = list[tuple[Target, list[Due]]]


def rows(service: Service, table: str = "delivery") -> int:
    n: int = service.ledger.fetch_one(f"SELECT count(*) AS n FROM {table}")["n"]
    return n


@contextmanager
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[HandOvers]:
    """Whoever recorded outcomes stands still before it hands them over; what it would hand over."""
    waiting: HandOvers = []

    def wait(target: Target, due: list[Due]) -> int:
        waiting.append((target, due))
        return 0

    with monkeypatch.context() as patched:
        patched.setattr(stage, "hand_over", wait)
        yield waiting


@pytest.fixture
def under_way(service: Service, monkeypatch: pytest.MonkeyPatch) -> tuple[Target, list[Due]]:
    """The outcomes of a and b are recorded, and being handed over."""
    service.accept(item("a", callback=callback()), item("b", callback=callback()))
    with stopped(monkeypatch) as waiting:
        service.round()
    ((target, due),) = waiting
    return target, due


def purge(*words: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(CliRunner().invoke(app, ["purge", *words, "--yes", "--json"]).output)
    return said


def replay(*words: str) -> int:
    return int(json.loads(read_command(app, "replay", "--json", *words))["replayed"])


def listed(state: str) -> list[str]:
    with process.database().transaction() as connection:
        page = item_list.page(connection, ItemFilter(delivery=state))
    assert {view.delivery for view in page.items} <= {state}
    return sorted(view.key for view in page.items)


def test_delivered_at_once_it_is_shown_as_delivered_and_has_no_row(service: Service) -> None:
    service.accept(item("a", callback=callback()), item("nobody asked"))
    service.round()
    assert (rows(service), rows(service, "hand_over")) == (0, 0)
    assert service.ledger.states("delivery") == ["delivered"]
    assert (listed("delivered"), listed("sending"), listed("dead")) == (["a"], [], [])
    shown_to_people = read_command(app, "items", "a")
    assert "delivered" in shown_to_people
    assert "shop" in shown_to_people
    shown = json.loads(read_command(app, "items", "--json", "--delivery", "delivered"))
    assert (shown["key"], shown["delivery"]["state"], shown["delivery"]["tries"]) == ("a", "delivered", 1)
    status = json.loads(read_command(app, "status", "--json"))
    assert status["lanes"]["default"]["deliveries"] == {"delivered": 1}
    assert_sums_are_right(service.ledger.fetch_all)


def test_while_it_is_handed_over_it_is_shown_as_being_sent(
    service: Service, under_way: tuple[Target, list[Due]]
) -> None:
    assert (rows(service), rows(service, "hand_over")) == (0, 1)
    assert service.ledger.states("delivery") == ["sending"] * 2
    assert (listed("sending"), listed("delivered")) == (["a", "b"], [])
    assert_sums_are_right(service.ledger.fetch_all)
    target, due = under_way
    with process.database().transaction() as connection:
        (view,) = delivery_list.targets(connection)
        assert (view.queue, view.due, view.sending) == ("shop", 0, 2)
        messages, size = ledger.sent_by_others(connection, target, mine=[])
        assert (messages, size > 2 * 1700) == (2, True)
        assert ledger.sent_by_others(connection, target, mine=[each.item_id for each in due]) == (0, 0)
        assert sorted(undone.undone(connection, bounds(0), datetime.now(UTC))) == [each.item_id for each in due]
        assert sorted(undone.undelivered(connection, 0)) == [each.item_id for each in due]
    assert replay("--delivered", "--all") == 0
    assert purge("--key", "a")["kept_why"] == {"being delivered": 1}
    assert stage.hand_over(*under_way) == 2
    assert service.ledger.states("delivery") == ["delivered"] * 2
    assert_sums_are_right(service.ledger.fetch_all)


def test_its_deliverer_dies_and_each_gets_a_row_and_is_sent_again(
    service: Service, under_way: tuple[Target, list[Due]]
) -> None:
    assert deliver() == "0 delivered"
    service.clock.leases_lapse()
    sweep()
    assert (rows(service), rows(service, "hand_over")) == (2, 0)
    assert service.ledger.fetch_all("SELECT DISTINCT state, tries, error FROM delivery") == [
        {"state": "due", "tries": 1, "error": "its deliverer died before it knew whether the broker took it"}
    ]
    assert_sums_are_right(service.ledger.fetch_all)
    assert deliver() == "2 delivered"
    assert_sums_are_right(service.ledger.fetch_all)


def test_one_that_was_taken_for_dead_hands_over_and_the_others_work_stays(
    service: Service, under_way: tuple[Target, list[Due]]
) -> None:
    service.clock.leases_lapse()
    sweep()
    assert stage.hand_over(*under_way) == 2
    assert service.ledger.states("delivery") == ["due"] * 2, "whoever took over decides"
    assert deliver() == "2 delivered"
    assert len(service.queue()) == 4
    assert len({message["headers"]["id"] for message in service.queue()}) == 2, "with the same delivery ids"
    assert_sums_are_right(service.ledger.fetch_all)


def test_what_is_left_over_goes_on_by_rows(service: Service) -> None:
    service.configure(brokers={"crm": {"url": service.redis_url, "max_queue": 2}})
    service.accept(*(item(f"k{n}", callback=callback(broker="crm")) for n in range(3)))
    service.round()
    assert (rows(service), rows(service, "hand_over")) == (3, 0)
    assert sorted(service.ledger.states("delivery")) == ["delivered", "delivered", "due"]
    assert_sums_are_right(service.ledger.fetch_all)


def test_one_in_the_group_has_to_be_acknowledged_and_all_have_rows(service: Service) -> None:
    service.accept(item("a", callback=callback(ack=True)), item("b", callback=callback()))
    service.round()
    assert service.ledger.fetch_all("SELECT state, tries FROM delivery ORDER BY item_id") == [
        {"state": "awaiting_ack", "tries": 1},
        {"state": "delivered", "tries": 1},
    ]
    assert_sums_are_right(service.ledger.fetch_all)


def test_sent_again_by_a_word_it_has_a_row_from_then_on(service: Service) -> None:
    service.accept(*(item(key, callback=callback()) for key in "abc"), run="nightly")
    service.round()
    assert replay("--delivered", "--key", "b") == 1
    row = service.ledger.fetch_one("SELECT state, tries, generation FROM delivery")
    assert row == {"state": "due", "tries": 0, "generation": 1}
    assert_sums_are_right(service.ledger.fetch_all)
    assert deliver() == "1 delivered"
    assert replay("--delivered", "--run", "nightly", "--lane", "default", "--since", "1h") == 3, "of both kinds"
    assert deliver() == "3 delivered"
    sent = [message["headers"]["overnight_generation"] for message in service.queue()]
    assert sorted(sent) == [0, 0, 0, 1, 1, 1, 2]
    assert_sums_are_right(service.ledger.fetch_all)


def test_purged_it_is_shown_no_more_and_sent_no_more(service: Service) -> None:
    service.accept(item("a", callback=callback()), item("b", callback=callback()))
    service.round()
    purge("--key", "a")
    newest = json.loads(read_command(app, "actions", "--json").splitlines()[0])
    assert newest["removed"]["deliveries"] == 1
    assert listed("delivered") == ["b"]
    assert replay("--delivered", "--all") == 1


def test_when_deliveries_are_dropped_it_is_shown_no_more_and_sent_no_more(service: Service) -> None:
    service.accept(item("a", callback=callback()))
    service.round()
    service.ledger.execute("INSERT INTO kept (first_item, deliveries_dropped_at) VALUES (0, now())")
    assert (listed("delivered"), service.ledger.states("delivery")) == ([], [])
    assert replay("--delivered", "--all") == 0
    assert rows(service) == 0


def test_a_batch_stays_at_the_api_until_what_is_handed_over_is_taken(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.configure(lane={"delete_batches": "7d"})
    service.accept(item("a", callback=callback()))
    with stopped(monkeypatch) as waiting:
        service.round()
    service.ledger.execute("UPDATE submission SET ended_at = ended_at - %s", timedelta(days=8))
    assert api_deletions.delete_batches() == 0
    stage.hand_over(*waiting[0])
    assert api_deletions.delete_batches() == 1


def test_while_workers_may_run_that_know_only_rows_each_delivery_has_one(service: Service) -> None:
    service.ledger.execute("UPDATE deployment SET deliveries_without_rows = false")
    service.accept(item("a", callback=callback()))
    service.round()
    assert service.ledger.fetch_all("SELECT state, tries FROM delivery") == [{"state": "delivered", "tries": 1}]
    service.ledger.execute("UPDATE deployment SET deliveries_without_rows = true")
    service.accept(item("b", callback=callback()))
    service.round()
    assert rows(service) == 1
    assert service.ledger.states("delivery") == ["delivered"] * 2
    assert_sums_are_right(service.ledger.fetch_all)
