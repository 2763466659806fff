"""Races after the answer: two that read one batch's results, two that hand over one outcome."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from overnight_models.ledger.collect import collect, outcomes
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.collect.outcomes import Recorded
from overnight_models.ledger.database import Database
from overnight_models.ledger.deliver import deliver
from overnight_models.ledger.deliver.acknowledge import acknowledge
from overnight_models.wire.acknowledgement import Acknowledgement
from overnight_workers.stages.deliver.deliver import deliver as deliver_all
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, blocked, callback, item
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("apart")


@pytest.fixture
def mine(service: Service) -> Database:
    return service.other_process()


@pytest.fixture
def theirs(service: Service) -> Database:
    return service.other_process()


def ended(service: Service) -> None:
    service.accept(item("a", callback=callback()), item("b", callback=callback()))
    pack()
    submit()
    poll()


def test_two_collectors_of_one_submission_the_second_gets_nothing(
    service: Service, mine: Database, theirs: Database
) -> None:
    ended(service)
    with mine.transaction() as first, theirs.transaction() as second:
        assert collect.claim(first, owner=mine.owner(), lease_s=60) is not None
        assert collect.claim(second, owner=theirs.owner(), lease_s=60) is None
    with theirs.transaction() as second:
        assert collect.claim(second, owner=theirs.owner(), lease_s=60) is None


def test_a_collector_whose_lease_lapsed_records_nothing_twice(
    service: Service, mine: Database, theirs: Database
) -> None:
    """Both read the same results; the second really waits for the first, and everything is there already."""
    ended(service)
    source = Source(1, 1, "msgbatch_x", only_live=True)
    ids = [service.ledger.item(key)["id"] for key in "ab"]
    answers = [Arrival(n, Fate.SUCCEED, message=b"{}", model="m", billed=True, cost_nano=5) for n in ids]

    def record(database: Database, arrivals: list[Arrival]) -> Recorded:
        with database.transaction() as connection:
            return outcomes.record(connection, source, arrivals, max_attempts=3)

    with ThreadPoolExecutor(1) as pool, mine.transaction() as first:
        assert outcomes.record(first, source, answers, max_attempts=3).succeeded == 2
        second = pool.submit(record, theirs, answers[::-1])
        wait_until(lambda: blocked(service))
        first.commit()
        assert second.result(60) == Recorded()
    assert (
        len(service.ledger.fetch_all("SELECT 1 FROM outcome"))
        == len(service.ledger.fetch_all("SELECT 1 FROM bill"))
        == 2
    )
    assert len(service.ledger.states("delivery")) == 2
    assert service.ledger.fetch_one("SELECT sum(cost_nano)::int AS n FROM spending")["n"] == 10


def test_two_collectors_that_meet_a_new_model_give_it_one_number(
    service: Service, mine: Database, theirs: Database
) -> None:
    """Each of its own item: the second waits for the first to commit, and has recorded all the same."""
    ended(service)
    source = Source(1, 1, "msgbatch_x", only_live=True)
    answers = {
        key: Arrival(service.ledger.item(key)["id"], Fate.SUCCEED, message=b"{}", model="claude-of-tomorrow")
        for key in "ab"
    }

    def record(database: Database) -> Recorded:
        with database.transaction() as connection:
            return outcomes.record(connection, source, [answers["b"]], max_attempts=3)

    with ThreadPoolExecutor(1) as pool, mine.transaction() as first:
        assert outcomes.record(first, source, [answers["a"]], max_attempts=3).succeeded == 1
        second = pool.submit(record, theirs)
        wait_until(lambda: blocked(service))
        first.commit()
        assert second.result(60).succeeded == 1
    named = "SELECT DISTINCT name FROM outcome JOIN model ON model.id = model_id"
    assert service.ledger.fetch_all(named) == [{"name": "claude-of-tomorrow"}]


@pytest.mark.parametrize("fate", [Fate.RETRY_OWN, Fate.WAIT_OWN, Fate.FAIL_OWN])
def test_what_one_of_two_live_submissions_reports_against_an_item_waits_for_the_other(
    service: Service, mine: Database, fate: Fate
) -> None:
    ended(service)
    against = [Arrival(service.ledger.item("a")["id"], fate, problem="expired", detail="too late")]
    with mine.transaction() as connection:
        both_live = Source(1, 1, "msgbatch_x", only_live=False)
        assert outcomes.record(connection, both_live, against, max_attempts=3) == Recorded()
    assert (service.ledger.item("a")["state"], service.ledger.item("a")["batch_id"]) == ("batched", 1)
    with mine.transaction() as connection:
        of_another_batch = Source(1, 99, "msgbatch_x", only_live=True)
        assert outcomes.record(connection, of_another_batch, against, max_attempts=3) == Recorded()
    assert service.ledger.item("a")["state"] == "batched"


def test_two_deliverers_of_one_queue_share_and_neither_gets_the_others(
    service: Service, mine: Database, theirs: Database
) -> None:
    ended(service)
    service.round()
    with mine.transaction() as first, theirs.transaction() as second:
        (target,) = deliver.targets(first)
        claimed = deliver.claim(first, target, limit=1, lease_s=60)
        others = deliver.claim(second, target, limit=9, lease_s=60)
    assert len(claimed) == len(others) == 1
    assert claimed[0].item_id != others[0].item_id
    with mine.transaction() as first:
        assert deliver.claim(first, target, limit=9, lease_s=60) == []


def test_two_that_record_the_same_acknowledgements_the_second_waits_and_records_nothing(
    service: Service, mine: Database, theirs: Database
) -> None:
    service.answered(*(item(key, callback=callback(ack=True)) for key in "abc"))
    with mine.transaction() as first:
        (target,) = deliver.targets(first)
        said = [due.acknowledgement for due in deliver.claim(first, target, limit=9, lease_s=60)]

    def record(database: Database, acknowledged: list[Acknowledgement]) -> int:
        with database.transaction() as connection:
            return acknowledge(connection, acknowledged)

    with ThreadPoolExecutor(1) as pool, mine.transaction() as first:
        assert acknowledge(first, said[:2]) == 2
        second = pool.submit(record, theirs, said[::-1])
        wait_until(lambda: blocked(service))
        first.commit()
        assert second.result(60) == 1
    assert service.ledger.states("delivery") == ["delivered"] * 3


def test_a_callback_that_answers_before_its_deliverer_has_recorded_that_it_was_sent(
    service: Service, mine: Database, theirs: Database
) -> None:
    service.answered(item("a", callback=callback(ack=True)))
    with mine.transaction() as first:
        (target,) = deliver.targets(first)
        sent = deliver.claim(first, target, limit=9, lease_s=60)
    with theirs.transaction() as second:
        assert acknowledge(second, [due.acknowledgement for due in sent]) == 1
    with mine.transaction() as first:
        assert deliver.taken_to_be_acknowledged(first, [due.item_id for due in sent], within_s=60) == 0
    assert service.ledger.states("delivery") == ["delivered"]


def test_a_deliverer_whose_lease_lapsed_does_not_undo_the_others_work(
    service: Service, mine: Database, theirs: Database
) -> None:
    ended(service)
    service.round()
    with mine.transaction() as first:
        (target,) = deliver.targets(first)
        slow = deliver.claim(first, target, limit=9, lease_s=60)
    service.clock.leases_lapse()
    with theirs.transaction() as second:
        assert deliver.free_lapsed(second, {"default": 12}, 12, by_broker={}, limit=9) == (2, 0)
    deliver_all()
    assert service.ledger.states("delivery") == ["delivered"] * 2
    with mine.transaction() as first:
        ids = [due.item_id for due in slow]
        assert deliver.schedule_retry(first, ids, "late", pause_s=1) == 0
        assert deliver.dead_letter(first, ids, "late") == 0
        assert deliver.taken(first, ids) == 0
    assert service.ledger.states("delivery") == ["delivered"] * 2
