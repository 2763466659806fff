"""Races for a batch: who submits it, who takes its items back, and what a late fact does to a successor."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from overnight_models.ledger.cancel import Canceled, cancel
from overnight_models.ledger.database import Database
from overnight_models.ledger.rescue import void_abandoned
from overnight_models.ledger.submit import facts
from overnight_models.ledger.submit import submit as ledger
from overnight_models.ledger.submit.submit import Claim
from overnight_workers import process
from overnight_workers.stages import protocol
from overnight_workers.stages.pack.pack import pack
from tests.driving import Service, blocked, item
from tests.waiting import wait_until

LATE = datetime(2026, 11, 1, tzinfo=UTC)


def claim(connection: Connection, database: Database) -> Claim | None:
    return ledger.claim(connection, token=protocol.new_token(process.deployment()), owner=database.owner(), lease_s=60)


def send(connection: Connection, claimed: Claim) -> bool:
    return ledger.send(connection, claimed.submission_id, items=1, create_timeout_s=20, allowance_s=1)


@pytest.fixture
def packed(service: Service) -> Service:
    service.accept(item("a"), item("b"))
    pack()
    return service


@pytest.fixture
def mine(service: Service) -> Database:
    return service.other_process()


@pytest.fixture
def theirs(service: Service) -> Database:
    return service.other_process()


def test_two_submitters_of_one_batch_the_second_gets_nothing(packed: Service, mine: Database, theirs: Database) -> None:
    with mine.transaction() as first, theirs.transaction() as second:
        assert claim(first, mine) is not None
        assert claim(second, theirs) is None
    with theirs.transaction() as second:
        assert claim(second, theirs) is None
    assert packed.ledger.states("submission") == ["claimed"]


def test_two_submitters_of_two_batches_get_one_each(packed: Service, mine: Database, theirs: Database) -> None:
    packed.accept(item("c"))
    pack()
    with mine.transaction() as first, theirs.transaction() as second:
        claimed, other = claim(first, mine), claim(second, theirs)
    assert claimed is not None
    assert other is not None
    assert claimed.batch_id != other.batch_id


def test_a_workspace_that_a_submitter_sends_to_is_left_to_it_and_another_workspace_is_not_delayed(
    service: Service, mine: Database, theirs: Database
) -> None:
    service.configure(lanes={"other": {"workspace": "two", "max_wait": "0s"}}, workspaces={"two": {}})
    for key in "ab":
        service.accept(item(key))
        pack()
    with mine.transaction() as connection:
        hanging = claim(connection, mine)
        assert hanging is not None
        assert send(connection, hanging)
    with theirs.transaction() as connection:
        assert claim(connection, theirs) is None, "it would hang there too"
    service.accept(item("c"), lane="other")
    pack()
    with theirs.transaction() as connection:
        other = claim(connection, theirs)
        assert other is not None
        assert other.workspace == "two"


@pytest.mark.parametrize("over", ["its process is gone", "its time is over"])
def test_a_submitter_that_died_keeps_no_other_from_its_workspace(
    service: Service, mine: Database, theirs: Database, over: str
) -> None:
    for key in "ab":
        service.accept(item(key))
        pack()
    with mine.transaction() as connection:
        first = claim(connection, mine)
        assert first is not None
        assert send(connection, first)
    if over == "its process is gone":
        mine.close()
    else:
        service.ledger.execute("UPDATE submission SET send_by = now() - interval '1 s'")
    seconds: list[Claim] = []

    def is_claimed() -> bool:
        with theirs.transaction() as connection:
            second = claim(connection, theirs)
        seconds.extend([] if second is None else [second])
        return bool(seconds)

    wait_until(is_claimed)
    assert seconds[0].batch_id != first.batch_id


def test_a_submitter_whose_lease_lapsed_while_building_sends_nothing(
    packed: Service, mine: Database, theirs: Database
) -> None:
    with mine.transaction() as connection:
        first = claim(connection, mine)
    packed.clock.leases_lapse()
    with theirs.transaction() as connection:
        assert void_abandoned(connection) == (1, 0, [(1, 1, None)])
    with theirs.transaction() as connection:
        second = claim(connection, theirs)
        assert second is not None
        assert send(connection, second)
    with mine.transaction() as connection:
        assert first is not None
        assert not send(connection, first)
        assert not ledger.authorize_last_bytes(connection, first.submission_id, margin_s=1)
    assert packed.ledger.states("submission") == ["void", "sending"]


def test_letting_go_and_the_rescue_exclude_each_other(packed: Service, mine: Database, theirs: Database) -> None:
    """Whoever comes second really waits for the first, and finds that it lost."""
    with mine.transaction() as connection:
        claimed = claim(connection, mine)
        assert claimed is not None
        assert send(connection, claimed)
    mine.close()  # the submitter looks dead, although it isn't: it may still let go
    rescuer, sender = theirs, packed.other_process()
    with ThreadPoolExecutor(1) as pool, sender.transaction() as sending:
        assert ledger.authorize_last_bytes(sending, claimed.submission_id, margin_s=1)

        def rescue() -> int:
            with rescuer.transaction() as connection:
                return void_abandoned(connection).submissions

        rescued = pool.submit(rescue)
        wait_until(lambda: blocked(packed))
        sending.commit()
        assert rescued.result(60) == 0
    assert packed.ledger.states("submission") == ["sending"]


def test_a_cancel_that_comes_while_a_submitter_claims_is_too_late(
    packed: Service, mine: Database, theirs: Database
) -> None:
    wanted = packed.ledger.item("a")["id"]
    with ThreadPoolExecutor(1) as pool, mine.transaction() as claiming:
        assert claim(claiming, mine) is not None

        def take_back() -> Canceled:
            with theirs.transaction() as connection:
                return cancel(connection, wanted)

        canceled = pool.submit(take_back)
        wait_until(lambda: blocked(packed))
        claiming.commit()
        assert canceled.result(60) == Canceled.TOO_LATE
    assert packed.ledger.item("a")["state"] == "batched"


def test_a_submitter_that_comes_while_an_item_is_taken_back_passes_its_batch_over(
    packed: Service, mine: Database, theirs: Database
) -> None:
    with mine.transaction() as canceling:
        assert cancel(canceling, packed.ledger.item("a")["id"]) == Canceled.CANCELED
        with theirs.transaction() as claiming:
            assert claim(claiming, theirs) is None
    with theirs.transaction() as claiming:
        claimed = claim(claiming, theirs)
    assert claimed is not None
    assert claimed.items == 1


def lost_submission(mine: Database) -> int:
    """A submission believed never created; its id."""
    with mine.transaction() as connection:
        first = claim(connection, mine)
        assert first is not None
        assert send(connection, first)
        ledger.doubt(connection, first.submission_id, first.batch_id, "no answer")
        assert ledger.lose(connection, first.submission_id, first.batch_id)
    return first.submission_id


def lost_with_a_successor(mine: Database) -> tuple[int, Claim]:
    """A submission believed never created, and the next one of its batch, claimed."""
    first_id = lost_submission(mine)
    with mine.transaction() as connection:
        second = claim(connection, mine)
    assert second is not None
    return first_id, second


def late_fact(database: Database, submission_id: int) -> bool:
    with database.transaction() as connection:
        facts.note_api_id(connection, submission_id, "msgbatch_late", LATE, None)
    with database.transaction() as connection:
        return facts.open_submission(connection, submission_id)


def test_a_late_id_while_the_successor_is_claimed_voids_it(packed: Service, mine: Database, theirs: Database) -> None:
    lost, successor = lost_with_a_successor(mine)
    assert late_fact(theirs, lost)
    assert (packed.ledger.states("submission"), packed.ledger.states("batch")) == (["open", "void"], ["open"])
    with mine.transaction() as connection:
        assert not send(connection, successor)


def test_a_late_id_while_the_successor_still_holds_its_last_bytes_voids_it(
    packed: Service, mine: Database, theirs: Database
) -> None:
    lost, successor = lost_with_a_successor(mine)
    with mine.transaction() as connection:
        assert send(connection, successor)
    assert late_fact(theirs, lost)
    assert (packed.ledger.states("submission"), packed.ledger.states("batch")) == (["open", "void"], ["open"])
    with mine.transaction() as connection:
        assert not ledger.authorize_last_bytes(connection, successor.submission_id, margin_s=1)


def test_a_late_id_after_the_successor_was_let_go_is_a_double_that_is_collected(
    packed: Service, mine: Database, theirs: Database
) -> None:
    lost, successor = lost_with_a_successor(mine)
    with mine.transaction() as connection:
        assert send(connection, successor)
        assert ledger.authorize_last_bytes(connection, successor.submission_id, margin_s=1)
    assert not late_fact(theirs, lost)
    assert (packed.ledger.states("submission"), packed.ledger.states("batch")) == (["open", "sending"], ["submitting"])
    with mine.transaction() as connection:
        ledger.release(connection, successor.submission_id, successor.batch_id, "known not created", pause_s=0)
    with mine.transaction() as connection:
        assert claim(connection, mine) is None, "an earlier submission of it is open"
    assert packed.ledger.states("batch") == ["open"], "and so is its batch"


def test_a_late_id_while_the_successor_is_open_is_a_double_that_is_collected(
    packed: Service, mine: Database, theirs: Database
) -> None:
    lost, successor = lost_with_a_successor(mine)
    with mine.transaction() as connection:
        assert send(connection, successor)
        facts.note_api_id(connection, successor.submission_id, "msgbatch_second", LATE, None)
        assert facts.open_submission(connection, successor.submission_id)
    assert not late_fact(theirs, lost)
    assert (packed.ledger.states("submission"), packed.ledger.states("batch")) == (["open", "open"], ["open"])


def test_a_late_id_that_comes_while_a_successor_is_being_claimed_really_waits(
    packed: Service, mine: Database, theirs: Database
) -> None:
    first_id = lost_submission(mine)
    with ThreadPoolExecutor(1) as pool, mine.transaction() as claiming:
        assert claim(claiming, mine) is not None
        opened = pool.submit(late_fact, theirs, first_id)
        wait_until(lambda: blocked(packed))
        claiming.commit()
        assert opened.result(60)
    assert (packed.ledger.states("submission"), packed.ledger.states("batch")) == (["open", "void"], ["open"])
