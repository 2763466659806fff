"""Poll: what ended, what was created after all, and what never was; a stranger's batch is never ours."""

from __future__ import annotations

from datetime import datetime

import pytest

from overnight_models import routes
from overnight_workers import process
from overnight_workers.anthropic_api import api
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import created, submit
from tests.driving import Service, item, params


def unclear(service: Service, *, created: bool, items: int = 1) -> None:
    """A batch whose create had no answer."""
    service.accept(*(item(f"k{n}") for n in range(items)))
    pack()
    service.api.fault("create", "lose_answer" if created else "close_after_body", count=1)
    submit()
    assert service.ledger.states("batch") == ["unclear"]


def test_what_ended_is_noted_with_its_counts(service: Service) -> None:
    service.accept(item("a"), item("b", fault="errored:invalid_request_error"))
    pack()
    submit()
    assert poll() == "1 ended"
    assert service.ledger.states("batch") == ["ended"]
    row = service.ledger.fetch_one("SELECT counts::jsonb ->> 'errored' AS errored, ended_at FROM submission")
    assert row["errored"] == "1"
    assert poll() == "0 ended"


def test_an_unclear_create_that_worked_is_adopted_by_its_token(service: Service) -> None:
    unclear(service, created=True, items=3)
    poll()
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["ended"], ["open"])
    service.finish()
    assert service.ledger.states("item") == ["succeeded"] * 3
    assert service.api.meter()["creates"] == 1


def test_an_unclear_create_that_did_not_work_is_lost_only_after_the_quiet_time(service: Service) -> None:
    unclear(service, created=False)
    for _ in range(3):
        poll()
        submit()
    assert service.ledger.states("batch") == ["unclear"]
    service.clock.quiet_is_over()
    poll()
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["packed"], ["lost"])
    service.finish()
    assert service.ledger.item("k0")["state"] == "succeeded"
    assert service.api.meter()["creates"] == 1
    assert service.ledger.item("k0")["attempts"] == 1, "a lost submission is no attempt"


def test_a_stranger_of_the_same_size_is_never_adopted(service: Service) -> None:
    unclear(service, created=False, items=2)
    service.api.stranger(2)
    service.clock.quiet_is_over()
    poll()
    assert service.ledger.fetch_one("SELECT ours FROM sighting")["ours"] is False
    poll()
    assert service.ledger.states("submission") == ["lost"]
    service.finish()
    assert service.ledger.states("item") == ["succeeded"] * 2
    assert service.api.meter()["creates"] == 1


def test_ours_is_found_among_strangers_of_the_same_size(service: Service) -> None:
    service.api.stranger(2)
    unclear(service, created=True, items=2)
    service.api.stranger(2)
    service.api.stranger(3)
    poll()
    assert service.ledger.states("submission") == ["open"]
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM sighting WHERE ours")["n"] == 1
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM sighting WHERE NOT ours")["n"] == 3, "of any size"
    service.finish()
    assert service.api.meter()["creates"] == 1


def test_a_candidate_that_can_not_be_read_keeps_it_unclear(service: Service) -> None:
    unclear(service, created=True)
    service.api.fault("results", "missing")
    service.clock.quiet_is_over()
    for _ in range(3):
        poll()
        submit()
    assert service.ledger.states("batch") == ["unclear"]
    service.api.faults_are_over()
    service.finish()
    assert service.api.meter()["creates"] == 1


@pytest.mark.parametrize("do", ["cut_at_line", "cut_mid_line"])
def test_results_without_a_whole_line_prove_nothing(service: Service, do: str) -> None:
    unclear(service, created=True)
    service.api.fault("results", do, lines=0)
    service.clock.quiet_is_over()
    for _ in range(3):
        poll()
        submit()
    assert service.ledger.states("batch") == ["unclear"]
    service.api.faults_are_over()
    service.finish()
    assert service.api.meter()["creates"] == 1


def test_a_list_that_fails_says_nothing(service: Service) -> None:
    unclear(service, created=False)
    service.clock.quiet_is_over()
    service.api.fault("list", "status", status=500, count=1)
    poll()
    assert service.ledger.states("batch") == ["unclear"]


def test_a_list_of_another_workspace_says_nothing(service: Service) -> None:
    unclear(service, created=True)
    service.clock.quiet_is_over()
    service.ledger.execute("UPDATE submission SET api_workspace_id = 'wrkspc_another'")
    service.api.fault("list", "empty")
    poll()
    assert service.ledger.states("batch") == ["unclear"]


def test_an_ended_batch_that_the_list_does_not_show_is_looked_up(service: Service) -> None:
    service.accept(item("a"))
    pack()
    submit()
    service.api.fault("list", "late", seconds=3600)
    poll()
    assert service.ledger.states("batch") == ["ended"]


def test_an_open_batch_that_can_not_be_found_for_a_while_is_waited_for(service: Service) -> None:
    service.accept(item("a"))
    pack()
    submit()
    service.api.fault("list", "late", seconds=3600)
    service.api.fault("retrieve", "missing", count=2)
    poll()
    poll()
    submit()
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["open"], ["open"])
    poll()
    assert service.ledger.states("batch") == ["ended"]


def test_one_that_is_listed_later_than_every_allowance_is_found_priced_and_shown(service: Service) -> None:
    unclear(service, created=True)
    service.api.fault("list", "empty", count=1)
    service.clock.quiet_is_over()
    poll()
    assert service.ledger.states("submission") == ["lost"], "nobody could know better"
    service.clock.pauses_are_over()
    submit()
    poll()
    for _ in range(3):
        collect()
        poll()
    assert service.ledger.states("submission") == ["done", "done"]
    assert service.ledger.states("batch") == ["collected"]
    bill = service.ledger.fetch_all("SELECT kept FROM bill ORDER BY submission_id")
    assert sorted(row["kept"] for row in bill) == [False, True]
    assert service.ledger.fetch_one("SELECT sum(paid_twice)::int AS n FROM spending")["n"] == 1
    meter = service.api.meter()
    assert meter["creates"] == 2
    assert service.ledger.fetch_one("SELECT sum(cost_nano)::bigint AS n FROM bill")["n"] == meter["nano"]


def test_a_double_that_still_runs_is_canceled_as_soon_as_a_late_answer_gave_its_id(unhurried: Service) -> None:
    unclear(unhurried, created=True)
    (first,) = unhurried.api.http.get("/v1/messages/batches").json()["data"]
    unhurried.api.fault("list", "empty", count=1)
    unhurried.clock.quiet_is_over()
    poll()
    submit()
    assert unhurried.ledger.states("submission") == ["lost", "open"], "listed later than every allowance"
    created(1, api.NewBatch(first["id"], datetime.fromisoformat(first["created_at"]), None))
    assert unhurried.ledger.states("submission") == ["open", "open"]
    poll()
    poll()
    second, again = unhurried.api.http.get("/v1/messages/batches").json()["data"]
    assert (second["processing_status"], again["processing_status"]) == ("canceling", "in_progress")
    assert again["id"] == first["id"], "the one that has run longer goes on"
    assert unhurried.ledger.fetch_one("SELECT count(cancel_asked_at) AS n FROM submission")["n"] == 1


def test_a_late_one_whose_successor_was_not_sent_is_not_paid_twice(service: Service) -> None:
    unclear(service, created=True)
    service.api.fault("list", "empty", count=1)
    service.clock.quiet_is_over()
    poll()
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["packed"], ["lost"])
    poll()
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["ended"], ["open"])
    service.finish()
    assert service.api.meter()["creates"] == 1


def test_an_id_that_was_saved_by_somebody_who_died_right_then_is_not_forgotten(service: Service) -> None:
    service.accept(item("a"))
    pack()
    submit()
    service.ledger.execute("UPDATE submission SET state = 'sending'")
    service.ledger.execute("UPDATE batch SET state = 'submitting'")
    service.clock.leases_lapse()
    sweep()
    service.finish()
    assert service.ledger.item("a")["state"] == "succeeded"
    assert service.api.meter()["creates"] == 1


def test_a_workspace_that_is_gone_from_the_configuration_stalls_no_other(service: Service) -> None:
    lanes = {"other": {"workspace": "a-first", "max_wait": "0s"}}
    service.configure(lanes=lanes, workspaces={"a-first": {}})
    service.accept(item("a"), lane="other")
    service.accept(item("b"))
    pack()
    submit()
    service.configure()
    poll()
    assert sorted(service.ledger.states("batch")) == ["ended", "open"]
    collect()
    assert service.ledger.item("b")["state"] == "succeeded"


def test_many_open_batches_take_one_call_and_their_creates_one_bell(unhurried: Service) -> None:
    unhurried.configure(lane={"max_items": 1, "max_wait": "0s"})
    unhurried.accept(*(item(f"k{number}") for number in range(20)))
    pack()
    submit()
    assert unhurried.ledger.states("batch") == ["open"] * 20
    assert process.redis_client().llen(routes.POLL) == 1
    before = unhurried.api.calls("batches.list")["200"]
    assert poll() == "0 ended"
    assert unhurried.api.calls("batches.list")["200"] - before == 1
    assert unhurried.api.calls("batches.retrieve") == {}


def test_a_long_list_is_paged_back_as_far_as_needed(service: Service) -> None:
    service.accept(item("first", params=params("first")))
    pack()
    submit()
    for _ in range(3):
        service.api.stranger(1)
    service.ledger.execute("UPDATE submission SET api_created_at = api_created_at - interval '1 h'")
    assert poll() == "1 ended"
