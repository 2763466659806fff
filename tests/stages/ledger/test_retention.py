"""Retention: what was finished long enough ago goes; what isn't done stays, whatever its age."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from overnight_models.errors import BadSettings
from overnight_models.ledger import partitions, redo
from overnight_models.ledger.partitions import PARTITION_ITEMS
from overnight_models.ledger.retention import keep, money, steps
from overnight_models.ledger.retention.keep import Keep
from overnight_models.ledger.run_items import BLOCK
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.sandbox.process import Running
from overnight_workers.stages import retain
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item, read_command
from tests.servers import copy_database

DAY = 86_400.0
ALL = Keep(deliveries=30 * DAY, bodies=30 * DAY, outcomes=90 * DAY, keys=180 * DAY, money=365 * DAY)


@pytest.fixture
def own(
    tmp_path: Path, postgres: str, redis_url: str, sandbox: Running, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """A service with a database that is thrown away: its partitions come and go."""
    service = Service(tmp_path, copy_database(postgres), redis_url, sandbox, monkeypatch)
    yield service
    service.close()


def pass_partition(service: Service) -> None:
    """The next items are in the next partition: the one before is full."""
    service.ledger.execute("SELECT setval('item_id', %s)", PARTITION_ITEMS + 1)
    with process.database().transaction() as connection:
        partitions.make_partitions(connection)
        partitions.note_full(connection)


def retain_after(days: float, keeping: Keep = ALL) -> list[str]:
    """What is done when so many days have passed."""
    now, done = datetime.now(UTC) + timedelta(days=days), list[str]()
    while len(done) < 400:
        with process.database().transaction() as connection:
            step = steps.step(connection, {1: keeping}, now=now)
        if step is None:
            return done
        done.append(step)
    raise AssertionError(f"it doesn't end: {done[-5:]}")


def count(service: Service, table: str, where: str = "true") -> int:
    return int(service.ledger.fetch_one(f"SELECT count(*) AS n FROM {table} WHERE {where}")["n"])


def finished(service: Service, *keys: str) -> None:
    """Items are answered and delivered, and a partition is full."""
    service.accept(*(item(key, callback=callback()) for key in keys))
    service.finish()
    deliver()
    assert set(service.ledger.states("delivery")) == {"delivered"}
    pass_partition(service)


def test_each_goes_in_its_time_deliveries_and_bodies_then_outcomes_then_keys(own: Service) -> None:
    finished(own, "a", "b")
    assert retain_after(29) == ["partition 0: nothing of it may go yet"]
    retain_after(31)
    assert (count(own, "delivery"), count(own, "item"), count(own, "outcome")) == (0, 2, 2)
    assert count(own, "request", "params = 'null'") == count(own, "outcome") == 2
    assert (own.ledger.answers(), count(own, "answer_group")) == ({}, 0)
    assert [row["key"] for row in own.ledger.fetch_all("SELECT key FROM request ORDER BY item_id")] == ["a", "b"]
    spent = read_command(app, "costs", "--json")
    retain_after(91)
    assert [count(own, table) for table in ("item", "request", "outcome", "double", "delivery")] == [0] * 5
    assert count(own, "item_key") == 2
    assert read_command(app, "costs", "--json") == spent, "money outlives text"
    assert own.accept(item("a", callback=callback()))["known"] == 1, "it isn't bought again"
    retain_after(181)
    assert count(own, "item_key") == 0
    assert own.accept(item("a", callback=callback()))["accepted"] == 1


def test_money_goes_last_with_its_batches(own: Service) -> None:
    finished(own, "a")
    retain_after(364)
    later = datetime.now(UTC) + timedelta(days=364)
    with process.database().transaction() as connection:
        assert money.forget_money(connection, {1: ALL}, now=later) == 0
        assert money.forget_money(connection, {1: ALL}, now=later + timedelta(days=2)) == 2
    assert [count(own, table) for table in ("spending", "batch", "submission")] == [0, 0, 0]


def test_a_batch_stays_whose_items_stay(own: Service) -> None:
    finished(own, "a")
    later = datetime.now(UTC) + timedelta(days=400)
    with process.database().transaction() as connection:
        money.forget_money(connection, {1: ALL}, now=later)
    assert count(own, "batch") == 1


def test_what_is_not_finished_stays_whole(own: Service) -> None:
    own.accept(item("sent"))
    pack()
    submit()
    own.accept(item("waits", run=None))
    finished(own, "done")  # the sent one comes back with it
    own.ledger.execute("UPDATE item SET state = 'held', held_by = 1, batch_id = NULL WHERE id = 2")
    own.ledger.execute("DELETE FROM outcome WHERE item_id = 2")
    retain_after(400)
    assert [row["id"] for row in own.ledger.fetch_all("SELECT id FROM item")] == [2]
    assert "null" not in own.ledger.asked().values()
    assert own.ledger.item("waits")["state"] == "held"
    assert count(own, "item_key", "item_id = 2") == 1, "its key stays"


def test_where_a_run_had_items_is_forgotten_with_them_and_not_what_stays(own: Service) -> None:
    own.accept(item("goes"), item("stays"), run="nightly")
    own.ledger.execute("SELECT setval('item_id', 1000)")
    own.accept(item("goes too"), run="nightly")
    own.finish()
    own.ledger.execute("UPDATE item SET state = 'held', held_by = 1, batch_id = NULL WHERE id = 2")
    own.ledger.execute("DELETE FROM outcome WHERE item_id = 2")
    pass_partition(own)
    own.accept(item("new"), run="nightly")
    assert count(own, "run_block") == 3
    retain_after(400)
    blocks = own.ledger.fetch_all("SELECT block FROM run_block ORDER BY block")
    assert [row["block"] for row in blocks] == [0, PARTITION_ITEMS // BLOCK]


def accept_a_group(service: Service) -> None:
    """Two items whose requests share a group; one is answered, one is held, and their partition is full."""
    service.accept(
        *(item(key, f"{key} {'Every clause of it. ' * 100}", callback=callback()) for key in ("done", "waits"))
    )
    service.finish()
    deliver()
    service.ledger.execute("UPDATE item SET state = 'held', held_by = 1, batch_id = NULL WHERE id = 2")
    service.ledger.execute("DELETE FROM outcome WHERE item_id = 2")
    pass_partition(service)


@pytest.mark.parametrize("days", [31, 400], ids=["bodies", "outcomes"])
def test_a_group_goes_with_its_partition_and_what_is_not_finished_keeps_its_request(own: Service, days: int) -> None:
    accept_a_group(own)
    asked = own.ledger.asked()[2]
    assert count(own, "request_group") == 1
    retain_after(days)
    assert count(own, "request_group") == 0
    assert own.ledger.fetch_one("SELECT to_regclass('request_group_from_0') AS there")["there"] is None
    assert own.ledger.asked()[2] == asked
    assert own.ledger.asked().get(1, "null") == "null"


def test_a_request_that_is_not_finished_and_can_not_be_read_keeps_its_partition(own: Service) -> None:
    accept_a_group(own)
    kept = own.ledger.fetch_one("SELECT packed FROM request_group")["packed"]
    own.ledger.execute("UPDATE request_group SET packed = 'damaged'")
    retain_after(400)
    assert [count(own, table) for table in ("item", "request", "request_group")] == [2, 2, 1]
    with process.database().transaction() as connection:
        (view,) = keep.kept(connection)
    assert "the requests of 1 unfinished items can't be read" in str(view.waits_for)
    own.ledger.execute("UPDATE request_group SET packed = %s", kept)
    retain_after(401)
    assert [count(own, table) for table in ("item", "request", "request_group")] == [1, 1, 0]


@pytest.mark.parametrize("state", ["due", "sending", "awaiting_ack", "dead"])
def test_what_is_not_delivered_stays_whole(own: Service, state: str) -> None:
    finished(own, "a", "b")
    a = own.ledger.item("a")["id"]
    own.ledger.give_rows()
    own.ledger.execute("UPDATE delivery SET state = %s WHERE item_id = %s", state, a)
    retain_after(31)
    assert count(own, "delivery") == len(own.ledger.answers()) == 1
    retain_after(400)
    kept = own.ledger.item("a")
    assert (kept["id"], kept["message"] is not None) == (a, True)
    assert [count(own, table) for table in ("item", "request", "outcome", "delivery")] == [1] * 4
    own.ledger.give_rows()
    own.ledger.execute("UPDATE delivery SET state = 'delivered'")
    retain_after(401)
    assert [count(own, table) for table in ("item", "request", "outcome", "delivery")] == [0] * 4


def test_bodies_stay_while_one_that_is_needed_can_not_be_read(own: Service) -> None:
    finished(own, "a", "b", "c")
    own.ledger.give_rows()
    own.ledger.execute("UPDATE delivery SET state = 'dead' WHERE item_id = 2")
    own.ledger.execute("CREATE TEMP TABLE backup AS SELECT * FROM answer_group")
    own.ledger.execute("UPDATE answer_group SET packed = 'damaged'")
    for days in (31, 400):
        retain_after(days)
        with process.database().transaction() as connection:
            (view,) = keep.kept(connection)
        assert "answer_group 1: it can't be decompressed" in (view.waits_for or ""), "nothing of it goes"
    own.ledger.execute("UPDATE answer_group SET packed = backup.packed FROM backup")
    assert len(own.ledger.answers()) == 3
    retain_after(401)
    assert own.ledger.answers().keys() == {2}
    assert count(own, "answer_group") == 0, "what stays stands in its own row"


def test_what_is_answered_when_the_bodies_of_its_partition_are_gone_has_its_answer(own: Service) -> None:
    own.accept(*(item(key) for key in "abcd"))
    pack()
    submit()
    pass_partition(own)
    retain_after(31, ALL)
    own.ledger.execute("UPDATE kept SET looked_at = NULL")
    own.finish()
    assert (len(own.ledger.answers()), count(own, "answer_group")) == (4, 1)


@pytest.mark.parametrize("state", ["open", "unclear", "sending"])
def test_what_may_not_be_billed_yet_stays_whole(own: Service, state: str) -> None:
    finished(own, "a")
    own.ledger.execute("UPDATE submission SET state = %s, send_by = now()", state)
    retain_after(400)
    assert count(own, "item") == len(own.ledger.answers()) == 1
    later = datetime.now(UTC) + timedelta(days=400)
    with process.database().transaction() as connection:
        money.forget_money(connection, {1: ALL}, now=later)
    assert count(own, "batch") == 1


def test_an_outcome_that_is_sent_again_while_bodies_go_has_its_body(own: Service) -> None:
    finished(own, "a", "b")
    keeping = Keep(bodies=30 * DAY)
    now = datetime.now(UTC) + timedelta(days=31)
    for _ in range(PARTITION_ITEMS // 50_000 + 1):  # begun, and all is copied
        with process.database().transaction() as connection:
            steps.step(connection, {1: keeping}, now=now)
    read_command(app, "replay", "--delivered", "--key", "a")
    retain_after(31, keeping)
    assert own.ledger.item("a")["message"] is not None
    assert own.ledger.item("b")["message"] is None
    deliver()
    answers = [json.loads(message["body"])[0][0]["message"] for message in own.queue()]
    assert len(answers) == 3
    assert all(answers)


def test_a_lane_that_keeps_things_for_ever_keeps_its_neighbours_too(own: Service) -> None:
    own.configure(lanes={"other": {"max_wait": "0s"}})
    own.accept(item("o"), lane="other")
    finished(own, "a")
    assert retain_after(4000) == ["partition 0: nothing of it may go yet"]
    assert count(own, "item") == 2


def test_the_partition_that_items_still_come_into_is_not_looked_at(own: Service) -> None:
    own.accept(item("a"))
    own.finish()
    assert retain_after(4000) == []


def test_too_many_that_are_not_done_keep_all_and_say_so(own: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MOST_CARRIED", 0)
    finished(own, "a", "b")
    own.ledger.give_rows()
    own.ledger.execute("UPDATE delivery SET state = 'dead' WHERE item_id = 1")
    retain_after(31)
    with process.database().transaction() as connection:
        (view,) = keep.kept(connection)
    assert view.waits_for == "more than 0 of its items aren't finished, delivered or billed"
    assert len(own.ledger.answers()) == 2


def test_without_its_request_an_item_is_not_tried_again(own: Service) -> None:
    own.accept(item("a", fault="errored:invalid_request_error"))
    own.finish()
    pass_partition(own)
    retain_after(31)
    with process.database().transaction() as connection:
        assert redo.redo(connection, [1]) == {}
        assert redo.why_not(connection, 1) == "its request isn't kept any more: enqueue it again"
    assert "nothing failed or was canceled that fits" in read_command(app, "redo", "--all", "--yes")


def test_new_items_fit_into_what_is_left(own: Service) -> None:
    finished(own, "a")
    own.ledger.give_rows()
    own.ledger.execute("UPDATE delivery SET state = 'dead'")
    retain_after(400)
    with process.database().transaction() as connection:
        assert partitions.make_partitions(connection) == 0
    own.accept(item("new", callback=callback()))
    own.finish()
    assert own.ledger.item("new")["state"] == "succeeded"
    read_command(app, "replay")
    deliver()
    assert own.ledger.fetch_one("SELECT state FROM every_delivery WHERE item_id = 1")["state"] == "delivered"


def test_the_sweep_does_it_by_the_settings(own: Service) -> None:
    keeping = {"keep_deliveries": "1d", "keep_bodies": "1d", "keep_outcomes": "1d", "keep_keys": "2d"}
    own.configure(lane=keeping)
    finished(own, "a")
    own.ledger.execute("UPDATE outcome SET finished_at = now() - interval '25 hours'")
    assert retain.keeps() == {1: Keep(DAY, DAY, DAY, 2 * DAY, None)}
    sweep()
    assert count(own, "item") == 1, "it has just become full"
    own.ledger.execute("UPDATE kept SET looked_at = now() - interval '61 minutes'")
    own.restart()
    sweep()
    assert (count(own, "item"), count(own, "item_key")) == (0, 1)


@pytest.mark.parametrize(
    ("keeping", "why"),
    [
        (
            {"keep_deliveries": "8d", "keep_bodies": "9d", "keep_outcomes": "8d"},
            "keep_bodies: 9 d is longer than keep_",
        ),
        ({"keep_keys": "9d"}, "keep_outcomes: for ever is longer than keep_keys"),
        ({"keep_money": "1d"}, "keep_money"),
        ({"keep_bodies": "9d"}, "keep_deliveries: for ever is longer than keep_bodies"),
    ],
)
def test_what_needs_another_thing_is_not_kept_longer(service: Service, keeping: dict[str, str], why: str) -> None:
    with pytest.raises(BadSettings, match=why):
        service.configure(lane=keeping)
