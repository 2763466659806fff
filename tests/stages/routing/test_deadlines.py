"""By deadline: a batch where earlier ones were in time, else real time; at accept, and again as time goes by."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal

import orjson
import pytest

from overnight_models.ledger import answer
from overnight_models.ledger.documents import document
from overnight_producers import Outcome
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item, read_command
from tests.service.ledger import Json
from tests.stages.routing.remembered import HOUR, ONE_TO_SIX_HOURS, batches_took, by_deadline, within
from tests.waiting import wait_until


def on_the_road(service: Service, key: str) -> str:
    row = service.ledger.item(key)
    return "direct" if row["direct_at"] is not None else str(row["state"])


def test_wanted_tomorrow_morning_it_goes_by_batch_and_wanted_in_two_hours_in_real_time(service: Service) -> None:
    by_deadline(service)
    batches_took(service, ONE_TO_SIX_HOURS)
    service.accept(item("tomorrow", deadline=within(14)), item("today", deadline=within(2)))
    assert (on_the_road(service, "tomorrow"), on_the_road(service, "today")) == ("waiting", "direct")
    assert service.ledger.item("tomorrow")["batch_chance"] == 100
    # 4 of 21 earlier ones took less than two hours
    assert 14 <= service.ledger.item("today")["batch_chance"] <= 24


def test_without_a_deadline_it_waits_for_a_batch_and_the_lanes_own_counts_for_all(service: Service) -> None:
    by_deadline(service)
    batches_took(service, ONE_TO_SIX_HOURS)
    service.accept(item("any time"))
    by_deadline(service, deadline="2h")
    service.accept(item("like all"), item("later", deadline=within(20)))
    assert on_the_road(service, "any time") == "waiting"
    assert on_the_road(service, "like all") == "direct"
    assert on_the_road(service, "later") == "waiting"


def test_a_lane_of_batches_keeps_to_them_and_notes_the_deadline(service: Service) -> None:
    service.configure(lane={"max_wait": "1h"})
    batches_took(service, ONE_TO_SIX_HOURS)
    service.accept(item("a", deadline=within(0.5)))
    row = service.ledger.item("a")
    assert (row["direct_at"], row["batch_chance"]) == (None, None)
    assert row["deadline"] is not None


def test_while_it_waits_a_batch_is_packed_before_it_would_be_too_late_and_not_sooner(service: Service) -> None:
    by_deadline(service, max_wait="24h")
    batches_took(service, ONE_TO_SIX_HOURS)
    service.accept(item("a", deadline=within(8)), item("b"))
    assert pack() == "0 batches, 0 items"
    service.ledger.execute("UPDATE item SET deadline = now() + interval '5 h 45 min 22 s' WHERE deadline IS NOT NULL")
    sweep()
    assert on_the_road(service, "a") == "waiting"
    # what waits goes along: the batch is sent anyway
    assert pack() == "1 batches, 2 items"
    assert service.ledger.fetch_one("SELECT look_at IS NOT NULL AS looks FROM batch WHERE state = 'packed'")["looks"]


def test_what_no_batch_took_in_time_leaves_for_real_time_in_the_order_of_its_deadline(service: Service) -> None:
    by_deadline(service, max_wait="24h")
    batches_took(service, ONE_TO_SIX_HOURS)
    service.accept(*(item(f"k{hours}", deadline=within(hours)) for hours in (9, 8, 10)))
    service.ledger.execute("UPDATE item SET deadline = deadline - interval '6 h'")
    sweep()
    assert [on_the_road(service, f"k{hours}") for hours in (9, 8, 10)] == ["direct"] * 3
    order = service.ledger.fetch_all("SELECT key FROM item JOIN request ON item_id = id ORDER BY direct_at, id")
    assert [row["key"] for row in order] == ["k8", "k9", "k10"]
    assert pack() == "0 batches, 0 items"


def test_a_paused_lane_sends_nothing_in_real_time_either(service: Service) -> None:
    by_deadline(service, max_wait="24h")
    batches_took(service, ONE_TO_SIX_HOURS)
    service.accept(item("a", deadline=within(8)))
    service.ledger.execute("UPDATE item SET deadline = now() + interval '1 h'")
    service.ledger.execute("UPDATE lane SET paused_at = now()")
    sweep()
    assert on_the_road(service, "a") == "waiting"


def test_an_answer_that_nobody_needs_any_more_is_not_bought_and_says_so(service: Service) -> None:
    service.configure(lane={"max_wait": "1h"})
    service.accept(item("a", give_up_at=within(1), callback=callback()), item("b", give_up_at=within(2)))
    service.ledger.execute("UPDATE item SET give_up_at = now() - interval '1 s' WHERE id = 1")
    service.configure(lane={"max_wait": "0s"})
    assert pack() == "1 batches, 1 items"
    sweep()
    row = service.ledger.item("a")
    assert (row["state"], row["problem"], row["cost_nano"]) == ("failed", "too_late", 0)
    assert "give_up_at" in row["detail"]
    deliver()
    assert len(service.queue()) == 1
    assert service.ledger.item("b")["state"] == "batched"


def test_where_only_a_moment_to_give_up_is_said_it_is_wanted_by_then(service: Service) -> None:
    by_deadline(service)
    batches_took(service, ONE_TO_SIX_HOURS)
    service.accept(item("a", give_up_at=within(2)))
    assert on_the_road(service, "a") == "direct"


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"deadline": "2026-11-30T08:00:00"}, "has no offset from UTC"),
        ({"deadline": "tomorrow"}, "is no time"),
        ({"deadline": 17}, "is no time"),
        ({"deadline": "2026-02-30T08:00:00Z"}, "is no time"),
        ({"deadline": "2030-01-02T00:00:00Z", "give_up_at": "2030-01-01T00:00:00Z"}, "is before `deadline`"),
    ],
)
def test_from_another_language_a_moment_that_is_none_is_turned_down_by_name(
    service: Service, wish: Json, says: str
) -> None:
    (rejected,) = service.accept(item("bad", **wish), item("good"))["rejected"]
    assert rejected["key"] == "bad"
    assert says in rejected["why"]
    assert service.ledger.item("good")["state"] == "waiting"


def test_of_a_batch_that_runs_too_long_what_is_at_risk_is_sent_beside_it(service: Service) -> None:
    by_deadline(service, max_wait="0s")
    batches_took(service, ONE_TO_SIX_HOURS)
    service.accept(item("soon", deadline=within(7)), item("late", deadline=within(20)), item("never"))
    pack()
    submit()
    batch_runs(service, hours=5.5)
    service.ledger.execute("UPDATE item SET deadline = deadline - interval '5.5 h'")
    sweep()
    # 2 of 3 that ran as long are over in half an hour, and 3 of 3 in 1.5 hours: nothing needs to be done yet
    assert on_the_road(service, "soon") == "batched"
    batch_runs(service, hours=6.5)
    service.ledger.execute("UPDATE item SET deadline = now() + interval '90 s' WHERE deadline < now() + interval '5 h'")
    sweep()
    assert [on_the_road(service, key) for key in ("soon", "late", "never")] == ["direct", "batched", "batched"]


def test_what_may_have_been_billed_as_often_as_its_lane_allows_is_left_to_its_batch(service: Service) -> None:
    by_deadline(service, max_wait="0s", max_maybe_billed=0)
    batches_took(service, ONE_TO_SIX_HOURS)
    service.accept(item("soon", deadline=within(7)))
    pack()
    submit()
    batch_runs(service, hours=6.5)
    service.ledger.execute("UPDATE item SET deadline = now() + interval '90 s'")
    service.api.fault("messages", "lose_answer")
    for _ in range(2):
        service.ledger.execute("UPDATE batch SET look_at = now()")
        sweep()
        service.ledger.execute("UPDATE item SET direct_at = now() WHERE direct_at IS NOT NULL")
        direct()
    assert on_the_road(service, "soon") == "batched"
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM maybe_billed")["n"] == 1
    service.ledger.execute("UPDATE item SET state = 'waiting', batch_id = NULL, waiting_since = now()")
    sweep()
    assert on_the_road(service, "soon") == "waiting", "nor does it leave when its batch brought nothing"


def test_with_rescue_off_a_batch_is_left_alone(service: Service) -> None:
    by_deadline(service, max_wait="0s", rescue="off")
    batches_took(service, ONE_TO_SIX_HOURS)
    service.accept(item("soon", deadline=within(7)))
    pack()
    submit()
    batch_runs(service, hours=8)
    service.ledger.execute("UPDATE item SET deadline = now() + interval '90 s'")
    sweep()
    assert on_the_road(service, "soon") == "batched"


def batch_runs(service: Service, *, hours: float) -> None:
    """The batch at the API hasn't ended, and was created so long ago."""
    service.ledger.execute(
        "UPDATE batch SET state = 'open', look_at = now() WHERE id = (SELECT max(batch_id) FROM item)"
    )
    service.ledger.execute(
        """UPDATE submission SET state = 'open', ended_at = NULL, next_read_at = NULL,
                  api_created_at = now() - make_interval(secs => %s)
           WHERE batch_id = (SELECT max(batch_id) FROM item)""",
        hours * HOUR,
    )


def test_canceled_first_only_what_it_has_not_answered_goes_in_real_time_and_no_try_is_counted(
    unhurried: Service,
) -> None:
    service = unhurried
    by_deadline(service, max_wait="0s", rescue="cancel_first")
    batches_took(service, ONE_TO_SIX_HOURS)
    service.accept(*(item(f"k{n}", deadline=within(7)) for n in range(5)))
    pack()
    submit()
    service.ledger.execute("UPDATE submission SET api_created_at = now() - interval '6.5 h' WHERE state = 'open'")
    service.ledger.execute("UPDATE item SET deadline = now() + interval '16 min' WHERE state = 'batched'")
    service.ledger.execute("UPDATE batch SET look_at = now() WHERE look_at IS NOT NULL")
    sweep()
    (batch,) = service.ledger.fetch_all("SELECT state, reason FROM batch WHERE state <> 'collected'")
    assert batch["state"] == "canceling"
    assert "5 deadlines are at risk after 6 h 30 min" in batch["reason"]
    poll()
    # the sandbox takes a minute to wind down a batch that is canceled
    service.api.http.post("/sandbox/clock", json={"advance_s": 61})

    def collected() -> bool:
        service.clock.pauses_are_over()
        poll()
        collect()
        return "batched" not in service.ledger.states("item")

    wait_until(collected)
    rows = service.ledger.fetch_all("SELECT state, attempts FROM item ORDER BY id")
    assert {row["state"] for row in rows} <= {"waiting", "succeeded"}
    assert all(row["attempts"] == 0 for row in rows if row["state"] == "waiting")
    assert any(row["state"] == "waiting" for row in rows)
    assert not service.ledger.fetch_all("SELECT FROM workspace WHERE held_at IS NOT NULL")
    sweep()
    assert [row["state"] for row in service.ledger.fetch_all("SELECT state FROM item WHERE direct_at IS NOT NULL")] == [
        "waiting"
    ] * sum(row["state"] == "waiting" for row in rows)


def test_each_item_says_why_it_takes_its_road_and_status_what_became_of_deadlines(service: Service) -> None:
    by_deadline(service, max_wait="0s")
    batches_took(service, ONE_TO_SIX_HOURS)
    service.accept(item("tomorrow", deadline=within(14)), item("today", deadline=within(2)), item("late"))
    service.ledger.execute("UPDATE item SET deadline = now() - interval '12 min' WHERE id = 3")
    assert "batch: more than 99% likely by" in read_command(app, "items", "tomorrow")
    shown = read_command(app, "items", "today")
    assert re.search(r"real time: a batch is \d+% likely by .* UTC, costs \$0\.\d+ more", shown)
    service.round()
    assert "missed by 12 min" in read_command(app, "items", "--late")
    assert "2 deadlines kept, 1 missed" in read_command(app, "status")
    assert json.loads(read_command(app, "status", "--json"))["lanes"]["default"]["deadlines"]["missed"] == 1


def test_what_passes_its_deadline_is_an_alarm_that_says_where_it_is(service: Service) -> None:
    service.configure(lane={"max_wait": "1h"})
    service.accept(item("a", deadline=within(1)))
    assert "deadlines at risk" not in alarms(service)
    service.ledger.execute("UPDATE item SET deadline = now() - interval '5 min'")
    assert "1 deadline passes while items are waiting for a batch" in alarms(service)["deadlines at risk"]


def alarms(service: Service) -> dict[str, str]:
    shown = json.loads(read_command(app, "status", "--json"))["alarms"]
    return {alarm["alarm"]: alarm["text"] for alarm in shown}


def test_of_a_rescued_item_the_first_answer_is_kept_and_the_second_is_billed_and_shown(
    service: Service,
) -> None:
    by_deadline(service, max_wait="0s")
    batches_took(service, ONE_TO_SIX_HOURS)
    service.accept(item("soon", deadline=within(7), callback=callback()), item("late", deadline=within(20)))
    pack()
    submit()
    service.ledger.execute("UPDATE submission SET api_created_at = now() - interval '6.5 h' WHERE state = 'open'")
    service.ledger.execute("UPDATE item SET deadline = now() + interval '90 s' WHERE id = 1")
    service.ledger.execute("UPDATE batch SET look_at = now() WHERE look_at IS NOT NULL")
    sweep()
    direct()
    assert [service.ledger.item(key)["state"] for key in ("soon", "late")] == ["succeeded", "batched"]
    kept = service.ledger.item("soon")["message"]
    poll()
    collect()
    assert service.ledger.item("soon")["message"] == kept
    assert service.ledger.item("late")["state"] == "succeeded"
    lane = json.loads(read_command(app, "status", "--json"))["lanes"]["default"]
    assert (lane["deadlines"]["met"], lane["deadlines"]["rescued"], lane["deadlines"]["doubles"]) == (2, 1, 1)
    assert Decimal(lane["deadlines"]["rescued_usd"]) == 2 * Decimal(lane["deadlines"]["doubles_usd"]) > 0
    assert "paid twice" not in alarms(service)
    assert "its batch is too slow for" in read_command(app, "items", "soon")
    billed = service.ledger.fetch_one("SELECT sum(cost_nano)::bigint AS nano FROM bill")
    assert billed["nano"] == service.api.meter()["nano"]


def test_in_real_time_too_an_answer_that_nobody_needs_any_more_is_not_bought(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(item("a", give_up_at=within(1)), item("b", give_up_at=within(2)))
    service.ledger.execute("UPDATE item SET give_up_at = now() - interval '1 s' WHERE id = 1")
    direct()
    sweep()
    assert [service.ledger.item(key)["problem"] for key in "ab"] == ["too_late", None]
    assert service.ledger.item("b")["state"] == "succeeded"
    assert service.api.meter()["billed"] == 1


def test_an_outcome_says_its_deadline_and_how_late_it_came(service: Service) -> None:
    service.accept(item("kept", deadline=within(14)), item("missed", deadline=within(14)), item("without"))
    service.ledger.execute(
        "UPDATE item SET deadline = now() - interval '90 seconds' FROM request WHERE item_id = id AND key = 'missed'"
    )
    service.round()
    roads = {}
    for key in ("kept", "missed", "without"):
        with process.database().transaction() as connection:
            row = answer.read_item(connection, service.ledger.item(key)["id"])
        assert row is not None
        roads[key] = Outcome.read(orjson.loads(orjson.dumps(document(row))))
    assert roads["kept"].late_s == 0
    missed = roads["missed"]
    assert missed.deadline is not None
    assert missed.finished_at is not None
    assert missed.late_s == pytest.approx((missed.finished_at - missed.deadline).total_seconds())
    assert missed.finished_at - missed.deadline > timedelta(seconds=80)
    assert (roads["without"].deadline, roads["without"].late_s) == (None, None)
