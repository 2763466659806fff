"""Late facts: what the API did counts, whatever it answered, however often it did it, and whatever it counts."""

from __future__ import annotations

from typing import Any

import pytest

from overnight_models import routes
from overnight_models.ledger.money import settle
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.budgeting import budget
from tests.driving import Service, item, read_command
from tests.sums import assert_sums_are_right, printed


def packed(service: Service, *keys: str) -> None:
    service.accept(*(item(key) for key in keys or ("a",)))
    pack()


def sent(service: Service, do: str, items: int = 1, **more: Any) -> None:
    packed(service, *(f"k{n}" for n in range(items)))
    service.api.fault("create", do, count=1, **more)
    submit()


def sweep_is_due(service: Service) -> None:
    service.ledger.execute("UPDATE workspace SET swept_at = NULL")


def assert_the_bill_is_the_meters(service: Service) -> None:
    meter = service.api.meter()
    own = service.ledger.fetch_one("SELECT count(*) AS n, sum(cost_nano)::bigint AS nano FROM bill")
    assert (own["n"], own["nano"]) == (meter["billed"], meter["nano"])
    shown = printed(read_command(app, "costs", "--json"))["all"]
    assert (shown.answers, shown.nano, shown.realtime_nano) == (meter["billed"], meter["nano"], meter["realtime_nano"])
    assert shown.paid_twice == service.ledger.fetch_one("SELECT count(*) AS n FROM bill WHERE NOT kept")["n"]
    assert_sums_are_right(service.ledger.fetch_all)


# --- counts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("do", ["extra_counts", "counts_lag"])
def test_counts_that_differ_do_not_rule_an_unclear_batch_out(service: Service, do: str) -> None:
    sent(service, "lose_answer", items=3)
    service.api.fault("list", do)
    service.api.fault("retrieve", do)
    service.api.fault("results", "missing", count=2)
    service.clock.quiet_is_over()
    poll()
    assert service.ledger.states("batch") == ["unclear"], "its token wasn't read, so nothing is known"
    service.finish()
    assert service.api.meter()["creates"] == 1
    assert_the_bill_is_the_meters(service)


def test_a_candidate_of_another_size_keeps_it_unclear_until_its_token_is_read(service: Service) -> None:
    sent(service, "close_after_body", items=2)
    service.api.stranger(5)
    service.api.fault("results", "missing", count=1)
    service.clock.quiet_is_over()
    poll()
    assert service.ledger.states("batch") == ["unclear"]
    poll()
    assert service.ledger.states("submission") == ["lost"], "the stranger's token was read"
    service.finish()
    assert service.api.meter()["creates"] == 1


# --- one create executed twice -------------------------------------------------------------------------------------


@pytest.mark.parametrize("do", ["twice", "twice and lost"])
def test_a_create_that_was_executed_twice_is_read_billed_and_shown_twice(service: Service, do: str) -> None:
    if do == "twice and lost":
        service.api.fault("create", "lose_answer", count=1)
    sent(service, "twice", items=3)
    service.finish()
    sweep_is_due(service)
    poll()
    collect()
    meter = service.api.meter()
    assert (meter["creates"], meter["billed"]) == (2, 6)
    assert service.ledger.states("submission") == ["done", "done"]
    assert service.ledger.states("item") == ["succeeded"] * 3
    assert service.ledger.fetch_one(
        "SELECT count(DISTINCT token) AS tokens, count(twin_of) AS twins FROM submission"
    ) == {
        "tokens": 1,
        "twins": 1,
    }
    assert_the_bill_is_the_meters(service)
    assert printed(read_command(app, "costs", "--json"))["all"].paid_twice == 3
    assert "paid twice" in read_command(app, "status", "--json")


def test_a_token_of_two_batches_rings_nothing_for_ever(service: Service) -> None:
    sent(service, "twice")
    for _ in range(3):
        poll()
        collect()
    client = process.redis_client()
    client.delete(routes.POLL, routes.COLLECT)
    for stage in (routes.POLL, routes.COLLECT):
        client.delete(f"overnight:ringing:{stage}")
    before = service.api.calls("batches.results").get("200", 0)
    for _ in range(5):
        sweep_is_due(service)
        poll()
        collect()
    assert (client.llen(routes.POLL), client.llen(routes.COLLECT)) == (0, 0)
    assert service.api.calls("batches.results").get("200", 0) == before, "what is known isn't read again"


def test_a_twin_that_is_listed_when_all_is_recorded_is_found_by_a_sweep(service: Service) -> None:
    sent(service, "twice", items=2)
    service.api.fault("list", "late", seconds=3600, rate=1.0)
    service.finish()
    assert len(service.ledger.states("submission")) == 1
    service.api.faults_are_over()
    sweep_is_due(service)
    poll()
    collect()
    assert service.ledger.states("submission") == ["done", "done"]
    assert_the_bill_is_the_meters(service)


def test_a_running_batch_is_canceled_when_its_twin_has_answered_every_item(unhurried: Service) -> None:
    sent(unhurried, "twice")
    known = unhurried.ledger.fetch_one("SELECT api_id FROM submission")["api_id"]
    twin = _other_than(unhurried, known)
    poll()
    # it is stopped at once and so ends first, with nothing; the one that is known goes on
    unhurried.api.http.post(f"/v1/messages/batches/{twin}/cancel")
    unhurried.api.http.post("/sandbox/clock", json={"advance_s": 3600})
    poll()
    assert unhurried.ledger.fetch_one("SELECT count(cancel_asked_at) AS n FROM submission")["n"] == 0, (
        "its items are waited for"
    )
    unhurried.ledger.execute("UPDATE item SET state = 'succeeded', waiting_since = NULL")
    unhurried.ledger.execute("UPDATE submission SET state = 'done' WHERE twin_of IS NOT NULL")
    poll()
    assert unhurried.api.http.get(f"/v1/messages/batches/{known}").json()["processing_status"] != "in_progress"
    assert unhurried.ledger.fetch_one("SELECT count(cancel_asked_at) AS n FROM submission")["n"] == 1


def test_a_double_that_comes_after_the_books_were_folded_is_charged_to_its_budget(service: Service) -> None:
    process.names().lane("default")
    budget()
    sent(service, "twice", items=2)
    service.api.fault("list", "late", seconds=3600)
    service.finish()
    service.api.faults_are_over()
    with process.database().transaction() as connection:
        settle.fold(connection)
    sweep_is_due(service)
    poll()
    collect()
    spent = service.ledger.fetch_one(
        "SELECT sum(spent_nano)::bigint AS nano, sum(reserved_nano)::bigint AS reserved FROM booking"
    )
    assert (spent["nano"], spent["reserved"]) == (service.api.meter()["nano"], 0)


# --- executed, whatever was answered -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 404, 409, 429])
def test_a_create_that_was_executed_though_it_was_turned_down_is_found(service: Service, status: int) -> None:
    sent(service, "status", items=2, status=status, accepted=True)
    service.api.fault("create", "status", status=529)
    poll()
    collect()
    assert service.ledger.states("item") == ["succeeded"] * 2
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["collected"], ["done"])
    assert service.api.meter()["creates"] == 1
    assert_the_bill_is_the_meters(service)


@pytest.mark.parametrize("status", [400, 413])
def test_a_create_that_was_executed_though_it_was_rejected_answers_the_halves(service: Service, status: int) -> None:
    packed(service, *(f"k{n}" for n in range(4)))
    service.api.fault("create", "status", count=1, status=status, accepted=True)
    service.api.fault("create", "status", after=1, status=429)
    submit()
    assert service.ledger.states("batch") == ["split", "packed", "packed"]
    poll()
    service.clock.pauses_are_over()
    submit()
    assert service.ledger.states("submission") in (["open", "void"], ["open", "void", "void"]), (
        "nothing is sent that lives"
    )
    collect()
    service.api.faults_are_over()
    service.clock.pauses_are_over()
    submit()
    assert service.ledger.states("item") == ["succeeded"] * 4
    assert service.ledger.states("batch") == ["split", "canceled", "canceled"]
    assert service.api.meter()["creates"] == 1
    assert_the_bill_is_the_meters(service)


def test_a_late_fact_of_a_single_item_that_failed_is_billed_and_shown(service: Service) -> None:
    sent(service, "status", status=400, accepted=True)
    assert service.ledger.states("item") == ["failed"]
    poll()
    collect()
    assert service.ledger.states("submission") == ["done"]
    assert_the_bill_is_the_meters(service)


def test_a_successor_that_was_sent_is_a_double_and_one_that_was_not_is_void(service: Service) -> None:
    sent(service, "status", status=429, accepted=True)
    service.clock.pauses_are_over()
    submit()
    assert service.api.meter()["creates"] == 2
    service.finish()
    sweep_is_due(service)
    poll()
    collect()
    assert service.ledger.states("submission") == ["done", "done"]
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM bill WHERE NOT kept")["n"] == 1
    assert_the_bill_is_the_meters(service)


# --- answers that name another batch, or none ----------------------------------------------------------------------


def test_an_answer_without_an_id_is_unclear_and_its_batch_found_by_its_token(service: Service) -> None:
    sent(service, "null_id", items=2)
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["unclear"], ["unclear"])
    service.finish()
    assert service.api.meter()["creates"] == 1
    assert_the_bill_is_the_meters(service)


def test_an_answer_that_names_another_batch_of_ours_is_unclear(service: Service) -> None:
    packed(service, "first")
    submit()
    first = service.ledger.fetch_one("SELECT api_id FROM submission")["api_id"]
    sent(service, "other_id", message=first)
    assert service.ledger.states("submission") == ["open", "unclear"]
    service.finish()
    assert service.ledger.states("item") == ["succeeded"] * 2
    assert service.api.meter()["creates"] == 2
    assert_the_bill_is_the_meters(service)


def test_an_answer_that_names_a_strangers_batch_is_disproved_by_its_token(service: Service) -> None:
    sent(service, "other_id", items=2, message=service.api.stranger(2))
    assert service.ledger.states("submission") == ["open"]
    service.finish()
    for _ in range(4):
        service.clock.pauses_are_over()
        service.round()
    assert service.ledger.states("item") == ["succeeded"] * 2
    assert service.api.meter()["creates"] == 1
    assert (set(service.ledger.states("submission")), service.ledger.states("batch")) == ({"done"}, ["collected"])
    assert service.ledger.fetch_one("SELECT count(api_id) AS n FROM submission")["n"] == 1
    assert_the_bill_is_the_meters(service)


@pytest.mark.parametrize("when", ["its own isn't listed", "nothing was created"])
def test_a_wrong_id_is_taken_off_and_the_batch_looked_for_anew(service: Service, when: str) -> None:
    stranger = service.api.stranger(2)
    service.api.fault("list", "late", seconds=3600)
    sent(service, "other_id", items=2, message=stranger)
    for _ in range(4):
        service.clock.pauses_are_over()
        service.ledger.execute("UPDATE submission SET ended_at = now()")
        collect()
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["unclear"], ["unclear"])
    service.api.faults_are_over()
    if when == "nothing was created":
        service.api.http.delete(f"/v1/messages/batches/{_other_than(service, stranger)}")
    service.clock.quiet_is_over()
    service.finish()
    assert service.ledger.states("item") == ["succeeded"] * 2
    assert service.api.meter()["creates"] == (2 if when == "nothing was created" else 1)


def _other_than(service: Service, api_id: str) -> str:
    listed = service.api.http.get("/v1/messages/batches").json()["data"]
    return next(str(batch["id"]) for batch in listed if batch["id"] != api_id)


@pytest.mark.parametrize("status", [302, 303, 307, 308])
def test_a_redirected_create_is_neither_followed_nor_sent_again(service: Service, status: int) -> None:
    location = f"{service.sandbox.url}/v1/messages/batches"
    sent(service, "redirect", status=status, location=location)
    assert service.api.meter()["creates"] == 0
    expected = ("packed", "void") if status in (307, 308) else ("unclear", "unclear")
    assert (service.ledger.states("batch")[0], service.ledger.states("submission")[0]) == expected
    if status == 307:
        assert "base_url" in service.ledger.fetch_one("SELECT held_reason FROM workspace")["held_reason"]


def test_redirected_results_are_not_followed(service: Service) -> None:
    packed(service)
    submit()
    poll()
    service.api.fault("results", "redirect", status=302, location=f"{service.sandbox.url}/sandbox", count=1)
    collect()
    assert "302" in service.ledger.fetch_one("SELECT error FROM submission")["error"]
    service.finish()
    assert service.ledger.states("item") == ["succeeded"]
