"""What the search found in the product, replayed on the real ledger: a lost submission comes back, and so on."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from overnight_models.ledger import poll, rescue
from overnight_models.ledger.collect import collect
from overnight_models.ledger.rows import fetch_all
from overnight_models.ledger.submit import facts, rejected
from overnight_models.ledger.submit import submit as ledger
from overnight_workers import process
from overnight_workers.stages import protocol
from overnight_workers.stages.pack.pack import pack
from tests.driving import Service, item

NOW = datetime.now(UTC)


def claim(connection: Connection) -> ledger.Claim:
    owner = process.database().owner()
    claimed = ledger.claim(connection, token=protocol.new_token(process.deployment()), owner=owner, lease_s=60)
    assert claimed is not None
    return claimed


def sending(connection: Connection) -> ledger.Claim:
    claimed = claim(connection)
    assert ledger.send(connection, claimed.submission_id, items=1, create_timeout_s=20, allowance_s=5)
    return claimed


def lost(connection: Connection) -> ledger.Claim:
    submission = sending(connection)
    assert ledger.authorize_last_bytes(connection, submission.submission_id, margin_s=1)
    assert ledger.doubt(connection, submission.submission_id, submission.batch_id, "")
    assert ledger.lose(connection, submission.submission_id, submission.batch_id)
    return submission


def come_back(connection: Connection, lost: ledger.Claim) -> bool:
    facts.note_api_id(connection, lost.submission_id, "msgbatch_late", NOW, None)
    return facts.open_submission(connection, lost.submission_id)


def test_a_successor_not_yet_let_go_is_void_and_may_not_be(service: Service) -> None:
    service.accept(item("a"))
    pack()
    with process.database().transaction() as connection:
        first, second = lost(connection), sending(connection)
        assert come_back(connection, first)
        assert not ledger.authorize_last_bytes(connection, second.submission_id, margin_s=1)
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["open"], ["open", "void"])


def test_an_id_that_is_only_noted_keeps_the_batch_and_its_successor_back(service: Service) -> None:
    service.accept(item("a"))
    pack()
    with process.database().transaction() as connection:
        first, second = lost(connection), sending(connection)
        facts.note_api_id(connection, first.submission_id, "msgbatch_late", NOW, None)
        assert not ledger.authorize_last_bytes(connection, second.submission_id, margin_s=1)
        assert ledger.release(connection, second.submission_id, second.batch_id, "", pause_s=0)
        assert ledger.claim(connection, token="t", owner=1, lease_s=60) is None


def test_a_batch_is_not_divided_while_an_earlier_submission_of_it_is_open(service: Service) -> None:
    service.accept(item("a"), item("b"))
    pack()
    with process.database().transaction() as connection:
        first, second = lost(connection), sending(connection)
        assert ledger.authorize_last_bytes(connection, second.submission_id, margin_s=1)
        assert not come_back(connection, first)
        assert ledger.reject(connection, second.submission_id, second.batch_id, "400")
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["open"], ["open", "void"])


def test_a_rejected_batch_is_not_divided_when_an_earlier_submission_of_it_comes_back(service: Service) -> None:
    service.accept(item("a"), item("b"))
    pack()
    with process.database().transaction() as connection:
        first, second = lost(connection), sending(connection)
        assert ledger.authorize_last_bytes(connection, second.submission_id, margin_s=1)
        assert ledger.reject(connection, second.submission_id, second.batch_id, "400")
        come_back(connection, first)
        assert rejected.take_rejected(connection) is None


def test_a_batch_of_two_open_submissions_is_open(service: Service) -> None:
    service.accept(item("a"))
    pack()
    with process.database().transaction() as connection:
        first, second = lost(connection), sending(connection)
        assert ledger.authorize_last_bytes(connection, second.submission_id, margin_s=1)
        assert not come_back(connection, first)
        facts.note_api_id(connection, second.submission_id, "msgbatch_second", NOW, None)
        assert not facts.open_submission(connection, second.submission_id)
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["open"], ["open", "open"])


def test_that_a_lock_is_gone_does_not_make_the_quiet_time_shorter(service: Service) -> None:
    service.accept(item("a"))
    pack()
    with process.database().transaction() as connection:
        assert ledger.authorize_last_bytes(connection, sending(connection).submission_id, margin_s=1)
    before = service.ledger.fetch_one("SELECT quiet_after FROM submission")
    process.database().close()
    with process.database().transaction() as connection:
        assert rescue.doubt_abandoned(connection) == 1
    assert service.ledger.fetch_one("SELECT quiet_after FROM submission") == before


def test_what_is_known_to_exist_is_not_lost(service: Service) -> None:
    service.accept(item("a"))
    pack()
    with process.database().transaction() as connection:
        submission = sending(connection)
        assert ledger.authorize_last_bytes(connection, submission.submission_id, margin_s=1)
        assert ledger.doubt(connection, submission.submission_id, submission.batch_id, "")
        facts.note_api_id(connection, submission.submission_id, "msgbatch_late", NOW, None)
        assert not ledger.lose(connection, submission.submission_id, submission.batch_id)


def restored(connection: Connection) -> None:
    """Another timeline than the ledger remembers, and nobody has noticed."""
    fetch_all(connection, "UPDATE deployment SET home = regexp_replace(home, '/[0-9]+/', '/7777/')")


def test_nothing_is_let_go_between_a_restore_and_its_notice(service: Service) -> None:
    service.accept(item("a"))
    pack()
    with process.database().transaction() as connection:
        submission = sending(connection)
        restored(connection)
        assert not ledger.authorize_last_bytes(connection, submission.submission_id, margin_s=1)


def test_a_late_fact_voids_nobody_between_a_restore_and_its_notice(service: Service) -> None:
    service.accept(item("a"))
    pack()
    with process.database().transaction() as connection:
        first = lost(connection)
        claim(connection)
        restored(connection)
        come_back(connection, first)
    assert service.ledger.states("submission") == ["open", "claimed"], "its row may have forgotten that it was let go"


def test_a_sighting_is_ours_only_once_its_id_is_saved_in_this_very_ledger(service: Service) -> None:
    with process.database().transaction() as connection:
        poll.note_unknown_batches(connection, "default", [poll.UnknownBatch("msgbatch_forgotten", 1, NOW, NOW)])
        poll.judge(connection, "msgbatch_forgotten", ours=True)
    assert service.ledger.fetch_one("SELECT ours FROM sighting")["ours"] is None


def test_what_was_claimed_in_the_backup_and_is_open_now_has_as_many_items_as_its_batch(service: Service) -> None:
    service.accept(item("a"), item("b"))
    pack()
    with process.database().transaction() as connection:
        claimed = claim(connection)
        facts.note_api_id(connection, claimed.submission_id, "msgbatch_late", NOW, None)
        facts.open_submission(connection, claimed.submission_id)
        poll.end(connection, claimed.submission_id, NOW, "{}")
        fetch_all(connection, "UPDATE submission SET lease_until = NULL")  # over by then
        reading = collect.claim(connection, owner=1, lease_s=60)
    assert reading is not None
    assert reading.items == 2
