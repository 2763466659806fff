"""Direct workers that die, are taken for dead, are told to stop, or lose the ledger, with calls under way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from overnight_models.ledger.cancel import cancel
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.direct import claim as claims
from overnight_models.ledger.direct import places, record
from overnight_models.ledger.direct.claim import Claim
from overnight_workers import process
from overnight_workers.celery_worker import stopping
from overnight_workers.stages.direct import turns
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, item
from tests.waiting import wait_until

NOBODY = 1
"""No process has this lock."""


def taken(service: Service, *, authorized: bool) -> Claim:
    """A worker has taken the items of the direct road, and then it died."""
    with process.database().transaction() as connection:
        (place,) = places.sources(connection, ["default"])
        claim = claims.take(
            connection,
            place,
            None,
            process.prices(),
            owner=NOBODY,
            lease_s=600,
            limit=10,
            max_bytes=10**6,
            counts_first=False,
        )
        assert claim.claim is not None
        if authorized:
            assert claims.authorize_calls(connection, claim.claim.id, [call.item_id for call in claim.asked])
    return claim.claim


def waiting_again(service: Service) -> list[str]:
    """After the sweep that takes its worker for dead."""
    service.clock.leases_lapse()
    sweep()
    return service.ledger.states("item")


def doubts(service: Service) -> int:
    return int(service.ledger.fetch_one("SELECT count(*) AS n FROM maybe_billed")["n"])


def test_what_a_dead_worker_had_not_let_go_is_sent_again_and_counts_nothing(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(item("a"), item("b"))
    taken(service, authorized=False)
    assert waiting_again(service) == ["waiting", "waiting"]
    assert (doubts(service), service.ledger.item("a")["attempts"]) == (0, 0)
    direct()
    assert service.ledger.states("item") == ["succeeded", "succeeded"]
    assert service.api.meter()["billed"] == 2


def test_a_worker_that_was_taken_for_dead_sends_nothing_of_what_it_had_taken(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(item("a"), item("b"))
    late = taken(service, authorized=False)
    assert waiting_again(service) == ["waiting", "waiting"]
    with process.database().transaction() as connection:
        assert not claims.authorize_calls(connection, late.id, [service.ledger.item(key)["id"] for key in "ab"])
    direct()
    assert service.api.meter()["billed"] == 2


def test_a_worker_that_stood_still_before_it_sent_sends_nothing_that_may_have_been_sent_by_others(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its host was frozen between the ledger's word that the bytes may go and the first of them."""
    service.configure(lane={"road": "direct"})
    service.accept(item("a"), item("b"))
    stops_soon = threading.Timer(0.5, stopping.set_stopping)
    stops_soon.start()
    try:
        with monkeypatch.context() as frozen:
            frozen.setattr(turns, "_SEND_WITHIN_S", -1.0)
            direct()
    finally:
        stops_soon.join()
        stopping.set_stopping(stop=False)
    assert (service.api.meter()["billed"], doubts(service)) == (0, 0)
    assert service.ledger.states("item") == ["waiting", "waiting"]
    service.finish()
    assert (service.ledger.states("item"), service.api.meter()["billed"]) == (["succeeded", "succeeded"], 2)


def test_what_was_canceled_while_it_was_taken_is_not_sent_when_it_is_given_back(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(item("a"), item("b"))
    claim, wanted = taken(service, authorized=False), service.ledger.item("a")["id"]
    with process.database().transaction() as connection:
        cancel(connection, wanted)
    assert service.ledger.item("a")["state"] == "direct", "it may be on its way"
    with process.database().transaction() as connection:
        claims.give_back(connection, claim.id, claim.number, [service.ledger.item(key)["id"] for key in "ab"])
    assert [service.ledger.item(key)["state"] for key in "ab"] == ["canceled", "waiting"]
    direct()
    assert service.api.meter()["billed"] == 1


def test_what_a_dead_worker_had_let_go_may_have_been_billed(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(item("a"), item("b"))
    taken(service, authorized=True)
    assert waiting_again(service) == ["waiting", "waiting"]
    assert (doubts(service), service.ledger.item("a")["attempts"]) == (2, 1)
    service.finish()
    assert service.ledger.states("item") == ["succeeded", "succeeded"]
    assert service.ledger.fetch_all("SELECT 1 FROM direct_call") == []


def test_a_worker_whose_lock_is_gone_and_that_gave_a_sign_of_life_just_now_is_not_taken_for_dead(
    service: Service,
) -> None:
    """After a restart of Postgres every lock is gone until its process takes it again."""
    service.configure(lane={"road": "direct"})
    service.accept(item("a"))
    claim = taken(service, authorized=True)
    with process.database().transaction() as connection:
        claims.extend(connection, [claim.id], owner=NOBODY, lease_s=60)
    sweep()
    assert service.ledger.states("item") == ["direct"]


def test_an_answer_of_a_worker_that_was_taken_for_dead_counts(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(item("a"))
    claim = taken(service, authorized=True)
    assert waiting_again(service) == ["waiting"]
    answer = Arrival(
        service.ledger.item("a")["id"],
        Fate.SUCCEED,
        message=b"{}",
        model="claude-haiku-5-5",
        billed=True,
        cost_nano=7,
        realtime_nano=7,
    )
    source = Source(claim.id, claim.number, None, only_live=True, via="direct")
    with process.database().transaction() as connection:
        rules = record.Rules(max_attempts=3, max_maybe_billed=1)
        record.record(connection, source, [answer], {}, process.prices(), rules)
    assert (service.ledger.item("a")["state"], doubts(service)) == ("succeeded", 0)
    service.clock.pauses_are_over()
    direct()
    assert service.api.meter()["billed"] == 0


def test_answers_that_come_while_the_ledger_is_away_are_recorded_later(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(item("a"), item("b"))
    service.api.fault("messages", "delay", seconds=3600)
    server, _, name = service.database_url.rpartition("/")
    may_connect = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    with ThreadPoolExecutor(1) as pool, psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        sending = pool.submit(direct)
        wait_until(lambda: service.api.meter()["billed"] == 2)
        admin.execute(may_connect.format(sql.Identifier(name), sql.SQL("false")))
        try:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> %s",
                (name, service.ledger.backend()),
            )
            service.api.faults_are_over()
            wait_until(lambda: service.api.calls("messages").get("200", 0) == 2)
            threading.Event().wait(0.5)  # the answers have come; nobody may write that down
            assert service.ledger.states("item") == ["direct", "direct"]
        finally:
            admin.execute(may_connect.format(sql.Identifier(name), sql.SQL("true")))
        sending.result(60)
    assert service.ledger.states("item") == ["succeeded", "succeeded"]
    assert (doubts(service), service.api.meter()["billed"]) == (0, 2)


def test_told_to_stop_it_ends_what_it_has_sent_and_sends_nothing_more(service: Service) -> None:
    service.configure(lane={"road": "direct"}, direct={"calls": 2})
    service.accept(*(item(key) for key in "abcdef"))
    service.api.fault("messages", "delay", seconds=3600)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(direct)
        wait_until(lambda: service.api.meter()["billed"] == 2)
        stopping.set_stopping()
        service.api.faults_are_over()
        try:
            sending.result(60)
        finally:
            stopping.set_stopping(stop=False)
    states = service.ledger.states("item")
    assert (states.count("succeeded"), states.count("waiting")) == (2, 4)
    assert (doubts(service), service.api.meter()["billed"]) == (0, 2)
