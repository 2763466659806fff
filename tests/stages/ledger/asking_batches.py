"""All that the ledger can be asked about batches: packed, sent, unclear, rejected, disowned, restored, read."""

from __future__ import annotations

from sqlalchemy import Connection

from overnight_models.ledger import (
    deployment,
    poll,
    traces,
)
from overnight_models.ledger.collect import caching, collect, outcomes, spending
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.collect.caching import Choice
from overnight_models.ledger.deliver import deliver as deliveries
from overnight_models.ledger.deliver.due import recorded_and_claimed
from overnight_models.ledger.deployment import Forgotten
from overnight_models.ledger.money import budgets, chains, settle
from overnight_models.ledger.operators import lanes, troubles
from overnight_models.ledger.pack import pack, priming, rates
from overnight_models.ledger.pack.turns import StayBehind
from overnight_models.ledger.poll import UnknownBatch
from overnight_models.ledger.rows import execute
from overnight_models.ledger.submit import facts, rejected, shapes, submit
from overnight_workers import process
from tests.driving import MODEL
from tests.stages.ledger.rows_to_ask import NOBODY, NOW, claimed, final_item, opened, packed, waiting_source


def ask_packing(connection: Connection) -> None:
    """Items of tenants and of none, with those that stay behind, and one that goes ahead."""
    source = waiting_source(connection)
    pack.amounts(connection, lane_id=source.lane_id)
    assert pack.take_turn(connection, source) is not None
    priming.being_written(connection, source)
    stay = StayBehind(unmeasured=True, being_written=(priming.PrefixOfModel(2, 2),))
    execute(connection, "DELETE FROM primer")
    (cold, *_) = priming.cold(connection, source, max_items=100, stay=stay)
    packed = pack.pack(connection, source, process.prices(), max_items=100, max_bytes=1_000_000, only=cold.item_id)
    assert packed.items == 1
    priming.note(connection, source, cold)
    pack.pack(connection, source, process.prices(), max_items=100, max_bytes=1_000_000, stay=stay)
    # nothing waits any more that may go
    pack.pack(connection, source, process.prices(), max_items=100, max_bytes=1_000_000, stay=stay)


def ask_within_budgets(connection: Connection) -> None:
    prices, lane = process.prices(), waiting_source(connection).lane_id
    for strict, cap in ((False, 10**12), (True, 1)):
        budgets.set_budget(connection, "lane", lane, "day", cap, prices, strict=strict)
        budgets.set_budget(connection, "run", 1, "all", 10**12, prices, strict=strict)
    budgets.budgets(connection)
    budgets.needed(connection, 1)
    (number,) = chains.numbers(connection, lane, ["t"], cap_nano=1).values()
    execute(connection, "UPDATE item SET chain_id = :n WHERE tenant_id IS NULL", n=number)
    source = waiting_source(connection)
    assert pack.pack(connection, source, prices, max_items=100, max_bytes=1_000_000, chain_cap_nano=2).held
    assert chains.spent(connection, limit=10)
    budgets.set_budget(connection, "lane", lane, "day", 10**12, prices, strict=False)
    assert budgets.release_held(connection, [MODEL])
    packed(connection)
    claim = claimed(connection)
    submit.doubt(connection, claim.submission_id, claim.batch_id, "no answer")
    assert submit.lose(connection, claim.submission_id, claim.batch_id)
    settle.settle(connection, claim.batch_id, {1: 1})
    settle.charge(connection, claim.batch_id, {1: None})
    settle.free(connection, claim.batch_id, [1])
    settle.close(connection, claim.batch_id)
    settle.fold(connection)
    budgets.remove_budget(connection, "lane", lane, "day")


def ask_sent(connection: Connection) -> None:
    """A batch on its way, from its claim to its end."""
    packed(connection)
    claim = claimed(connection)
    shapes.to_be_asked(connection, claim.batch_id, limit=10)
    shapes.members(connection, claim.batch_id, 1)
    shapes.passed(connection, [1])
    shapes.unpassed(connection, [1])
    assert submit.release_unsent(connection, claim.submission_id, claim.batch_id, "no room", pause_s=0)
    claim = claimed(connection, "another token")
    list(submit.requests(connection, claim))
    list(submit.requests_by_prefix(connection, claim))
    groups = caching.groups(connection, claim.batch_id)
    caching.note(connection, claim.submission_id, [Choice(group, "5m", "it pays") for group in groups])
    caching.hit_rates(connection, "default")
    traces.of_batch(connection, claim.batch_id, limit=10)
    traces.of_items(connection, claim.submission_id, [1])
    opened(connection, claim)
    assert submit.open_submission_of(connection, claim.batch_id) == claim.submission_id
    assert poll.end(connection, claim.submission_id, NOW, "{}")
    reading = collect.claim(connection, owner=1, lease_s=60)
    assert reading is not None
    assert collect.extend(connection, reading, lease_s=60)
    collect.schedule_retry(connection, reading.submission_id, "lines are missing", missed=True, pause_s=1)
    _record(connection, reading)
    assert collect.finish(connection, reading, passed_over=False)


def _record(connection: Connection, reading: collect.Reading) -> None:
    """A success, a try again, a failure and a double, all of a batch that was cached."""
    assert collect.only_live(connection, reading)
    members = collect.missing_items(connection, reading.batch_id)
    billed = Arrival(0, Fate.SUCCEED, message=b"{}", model="m", billed=True, cost_nano=1, realtime_nano=2)
    arrivals = [
        *(billed._replace(item_id=item_id) for item_id in members[:-2]),
        billed._replace(item_id=final_item(connection)),
        Arrival(members[-2], Fate.RETRY_OWN, problem="overloaded"),
        Arrival(members[-1], Fate.FAIL_OWN, problem="invalid"),
    ]
    collect.output_schemas(connection, members)
    collect.output_schema(connection, 1)
    source = Source(reading.submission_id, reading.batch_id, reading.api_id, only_live=True, has_prefixes=True)
    clear = deliveries.targets_in_the_clear(connection)
    recorded = outcomes.record(connection, source, arrivals, max_attempts=3, claim=clear, lease_s=60)
    recorded_and_claimed(connection, source, arrivals, recorded)


def ask_unclear(connection: Connection) -> None:
    packed(connection)
    claim = claimed(connection)
    assert submit.doubt(connection, claim.submission_id, claim.batch_id, "no answer")
    submit.say_why_unclear(connection, claim.batch_id, "no list says anything")
    assert troubles.unclear(connection, claim.batch_id)
    assert submit.lose(connection, claim.submission_id, claim.batch_id)
    opened(connection, claimed(connection, "another token"))
    collect.lose(connection, claim.submission_id, "gone")


def ask_rejected(connection: Connection) -> None:
    packed(connection)
    claim = claimed(connection)
    assert submit.reject(connection, claim.submission_id, claim.batch_id, "400")
    turned_down = rejected.take_rejected(connection)
    assert turned_down is not None
    rejected.members(connection, turned_down.batch_id)
    parts = rejected.divide(connection, turned_down)
    settle.pass_on(connection, turned_down.batch_id, parts)
    assert lanes.pause(connection, turned_down.lane_id, "a word")
    assert lanes.resume(connection, turned_down.lane_id) is not None


def ask_disowned(connection: Connection) -> None:
    """Batches whose results bear another token: its own is not known, or is known as a twin."""
    packed(connection)
    claim = claimed(connection)
    opened(connection, claim)
    assert facts.disown(connection, claim.submission_id, "another token")
    facts.note_api_id(connection, claim.submission_id, "msgbatch_d", NOW, None)
    assert facts.open_submission(connection, claim.submission_id)
    facts.note_api_id(connection, claim.submission_id, "msgbatch_e", NOW, None)
    assert poll.end(connection, claim.submission_id, NOW, "{}")
    reading = collect.claim(connection, owner=1, lease_s=60)
    assert reading is not None
    assert collect.disown(connection, reading, "another token")


def ask_restored(connection: Connection) -> None:
    deployment.settle(connection)
    deployment.log_position(connection)
    deployment.read(connection)
    assert deployment.notice_move(connection, allowance_s=60, set_back=True) is not None
    deployment.give_word(connection)
    deployment.unlooked(connection)
    deployment.oldest_unfinished(connection, "default")
    deployment.undecided(connection, "default", NOW)
    deployment.looked(connection, "default", NOW)
    deployment.remember(connection, "default", Forgotten("msgbatch_b", "b token", 1, NOW, NOW, (1,)))


def ask_polling(connection: Connection) -> None:
    poll.now(connection)
    poll.watched(connection, "default")
    poll.to_stop(connection, "default")
    poll.doubles(connection, "default")
    poll.cancel_asked(connection, NOBODY)
    poll.known_api_ids(connection, ["msgbatch_a"])
    poll.believe(connection, "default", UnknownBatch("msgbatch_c", 1, NOW, None, believed_of=1))
    poll.unknown_batches(connection, "default", NOW)
    poll.running_sightings(connection, "default")
    poll.postpone_reading(connection, "msgbatch_c")
    poll.judge(connection, "msgbatch_c", ours=False)
    poll.submission_of(connection, "a token")


def ask_collecting(connection: Connection) -> None:
    caching.given_up(connection)
    caching.measure(connection, 1, [1], [10], [10])
    rates.expected(connection, rates.road_rates(connection, process.prices(), batch=True), 1)
    spending.bill(
        connection,
        Source(1, 1, None, only_live=True),
        [Arrival(1, Fate.SUCCEED, billed=True, message=b"{}", model="m", cost_nano=None, realtime_nano=None)],
        {},
    )
