"""What a person may say of a batch: nothing of it makes the protocol less safe, and what is wrong is told at once."""

from __future__ import annotations

import pytest

from overnight_models.ledger.operators.actions import By
from overnight_models.wire.outcome import dollars
from overnight_workers.anthropic_api.api import ApiUnavailable
from overnight_workers.cli import app
from overnight_workers.operators import operator_overrides, steering
from overnight_workers.operators.operator_overrides import CantDecide
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item, read_command


def unclear(service: Service, *, created: bool, items: int = 1) -> str | None:
    """A batch whose create had no answer; the id that it has at the API."""
    service.accept(*(item(f"k{n}", callback=callback()) for n in range(items)))
    pack()
    service.api.fault("create", "lose_answer" if created else "close_after_body", count=1)
    submit()
    assert service.ledger.states("batch") == ["unclear"]
    listed = service.api.http.get("/v1/messages/batches").json()["data"]
    return str(listed[0]["id"]) if created else None


def test_an_adopted_id_that_has_ended_is_proven_at_once(service: Service) -> None:
    api_id = unclear(service, created=True)
    assert "bears the token" in operator_overrides.adopt(1, str(api_id))
    assert service.ledger.states("batch") == ["ended"]
    service.finish()
    assert service.api.meter()["creates"] == 1


def test_what_is_said_before_an_id_is_adopted_is_kept_of_it(service: Service) -> None:
    api_id = unclear(service, created=True, items=3)
    said = steering.items_of_batch(1)
    steering.adopt(1, str(api_id), By("ann", via="flower"))
    kept = service.ledger.fetch_one("SELECT name, items, most_nano FROM action")
    assert (kept["name"], kept["items"]) == ("decide", 3)
    assert said == f"it has 3 unfinished items: ${dollars(kept['most_nano'])} at the most"


def test_an_adopted_id_that_can_not_be_read_yet_keeps_the_batch_until_its_token_proves_it(service: Service) -> None:
    api_id = unclear(service, created=True)
    service.api.fault("list", "empty")
    service.api.fault("results", "missing")
    operator_overrides.adopt(1, str(api_id))
    service.clock.quiet_is_over()
    for _ in range(3):
        poll()
        submit()
    assert service.ledger.states("batch") == ["unclear"], "no list shows it, and a person knows better"
    service.api.faults_are_over()
    service.finish()
    assert service.api.meter()["creates"] == 1


def test_a_strangers_id_is_found_out_at_once_and_nothing_of_it_is_believed(service: Service) -> None:
    unclear(service, created=False)
    stranger = service.api.stranger(1)
    with pytest.raises(CantDecide, match="bears another token"):
        operator_overrides.adopt(1, stranger)
    assert service.ledger.states("batch") == ["unclear"]
    service.clock.quiet_is_over()
    service.finish()
    assert service.api.meter()["creates"] == 1


def test_an_id_of_another_size_is_turned_down_by_its_token_alone(service: Service) -> None:
    unclear(service, created=False)
    with pytest.raises(CantDecide, match="bears another token"):
        operator_overrides.adopt(1, service.api.stranger(2))


def test_an_id_whose_counts_differ_is_adopted_all_the_same(service: Service) -> None:
    api_id = unclear(service, created=True)
    service.api.fault("retrieve", "extra_counts")
    service.api.fault("retrieve", "counts_lag")
    assert "bears the token" in operator_overrides.adopt(1, str(api_id))


def test_an_id_of_another_size_is_waited_for_and_its_size_said(unhurried: Service) -> None:
    unclear(unhurried, created=False)
    assert "2 requests by its counts, 1 in the batch" in operator_overrides.adopt(1, unhurried.api.stranger(2))


def test_an_id_that_is_ours_already_is_turned_down(service: Service) -> None:
    service.accept(item("a"))
    service.finish()
    known = service.ledger.fetch_one("SELECT api_id FROM submission")["api_id"]
    service.accept(item("b"))
    pack()
    service.api.fault("create", "close_after_body", count=1)
    submit()
    with pytest.raises(CantDecide, match="another batch of ours"):
        operator_overrides.adopt(2, known)


def test_an_id_that_does_not_exist_says_so(service: Service) -> None:
    unclear(service, created=False)
    with pytest.raises(ApiUnavailable, match="404"):
        operator_overrides.adopt(1, "msgbatch_nowhere")


def test_what_never_was_is_sent_again_at_once(service: Service) -> None:
    unclear(service, created=False)
    operator_overrides.never_created(1, "ann")
    assert service.ledger.fetch_one("SELECT error FROM submission")["error"] == "never created, says ann"
    service.finish()
    assert service.api.meter()["creates"] == 1


def test_what_was_created_though_a_person_said_never_is_found_billed_and_shown(service: Service) -> None:
    unclear(service, created=True)
    operator_overrides.never_created(1, "ann")
    submit()
    service.finish()
    for _ in range(2):
        poll()
        collect()
    assert service.api.meter()["creates"] == 2
    bills = service.ledger.fetch_all("SELECT kept, cost_nano FROM bill ORDER BY kept")
    assert [row["kept"] for row in bills] == [False, True]
    assert sum(row["cost_nano"] for row in bills) == service.api.meter()["nano"]


def test_what_is_not_unclear_can_not_be_decided(service: Service) -> None:
    service.accept(item("a"))
    pack()
    with pytest.raises(CantDecide, match="isn't unclear"):
        operator_overrides.adopt(1, "msgbatch_some")
    with pytest.raises(CantDecide, match="isn't unclear"):
        operator_overrides.never_created(1, "ann")


def test_results_that_are_gone_fail_their_items_visibly_and_are_delivered(service: Service) -> None:
    service.accept(item("a", callback=callback()))
    pack()
    submit()
    service.api.fault("retrieve", "missing")
    service.api.fault("list", "empty")
    assert "1 item failed" in operator_overrides.gone(1, "ann")
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["gone"], ["done"])
    assert service.ledger.item("a")["problem"] == "given_up"
    service.finish()
    assert service.ledger.states("delivery") == ["delivered"]
    assert service.api.meter()["creates"] == 1, "it may be billed, so it isn't sent again"


def test_what_is_not_at_the_api_can_not_be_gone(service: Service) -> None:
    service.accept(item("a"))
    pack()
    with pytest.raises(CantDecide, match="isn't at the API"):
        operator_overrides.gone(1, "ann")


def test_the_command_says_what_is_unclear_why_and_what_happens_next(service: Service) -> None:
    unclear(service, created=False)
    stranger = service.api.stranger(1)
    service.api.fault("results", "missing")
    poll()
    shown = read_command(app, "batches", "--unclear")
    assert "batch 1" in shown
    assert "RemoteProtocolError" in shown
    assert stranger in shown
    assert "overnight decide 1" in shown
    assert "sent again" in read_command(app, "decide", "1", "--never-created", "--yes")
    assert "Nothing is unclear" in read_command(app, "batches", "--unclear")
