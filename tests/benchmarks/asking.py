"""What is asked of a filled ledger, in a tick, in a stage and by people; each in a transaction that is taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Connection

from overnight_models.ledger import accept as accepting
from overnight_models.ledger import answer, lock_room, partitions, poll, prefixes, rescue, workspaces
from overnight_models.ledger.collect import caching, collect, outcomes
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.database import Database
from overnight_models.ledger.deliver import acknowledge, deliver, obstacles
from overnight_models.ledger.deliver.due import recorded_and_claimed
from overnight_models.ledger.money import budgets, costs, history, plans
from overnight_models.ledger.new_item import NewItem
from overnight_models.ledger.operators import item_list, item_views, overview, troubles, unfinished
from overnight_models.ledger.operators.item_views import Wanted
from overnight_models.ledger.pack import pack
from overnight_models.ledger.rows import fetch_all
from overnight_models.ledger.submit import submit
from overnight_models.money.prices import Prices, load
from overnight_models.states import BATCH
from overnight_models.wire.acknowledgement import Acknowledgement
from tests.benchmarks import pages_asked
from tests.benchmarks.filling import IN_FLIGHT, KEY, RUN

_OWNER: Final = 1
_LEASE_S: Final = 60.0
_CHUNK: Final = 2_000
_BOUNDED_MS: Final = 2_000 * item_list.LOOKED_S
"""The time for which it is looked, and as much again for the last window."""
_KNOWN: Final = 20
"""Batches of a page of the API's list that are ours."""


@dataclass(frozen=True)
class Asked:
    """One thing that is asked."""

    name: str
    ask: Callable[[], object]
    most_ms: float | None = None
    """It is bounded in time and not by what it takes in a small ledger; None: it looks at what it needs."""


def questions(database: Database) -> list[Asked]:
    """All of them."""
    ids = _Found(database)
    return [
        *(Asked(name, _taken_back(database, ask)) for name, ask in _asked(ids)),
        *(Asked(name, _taken_back(database, ask), _BOUNDED_MS) for name, ask in pages_asked.by_windows()),
    ]


def _taken_back(database: Database, ask: Callable[[Connection], object]) -> Callable[[], object]:
    def once() -> object:
        with database.engine.connect() as connection, connection.begin() as transaction:
            answered = ask(connection)
            transaction.rollback()
            return answered

    return once


class _Found:
    """Rows that the questions are about."""

    def __init__(self, database: Database) -> None:
        with database.transaction() as connection:
            self.waiting = {group.lane_id: group for group in pack.waiting(connection)}
            self.target = deliver.targets(connection)[0]
            ended = collect.claim(connection, owner=_OWNER, lease_s=0)
            assert ended is not None
            self.reading = ended
            self.answered: list[int] = _column(
                connection, "SELECT id FROM item WHERE batch_id = :id ORDER BY id LIMIT :n", id=ended.batch_id, n=_CHUNK
            )
            self.sent: list[Any] = fetch_all(
                connection,
                "SELECT item_id, receipt FROM delivery JOIN request USING (item_id) WHERE state = 'due' LIMIT :n",
                n=_CHUNK,
            )  # type: ignore[assignment]
            # as many as one page of the API's list has, of which the same number is known however large the ledger is
            ours = [f"msgbatch_{number}" for number in range(1, _KNOWN + 1)]
            self.api_ids = ours + [f"msgbatch_of_others_{number}" for number in range(1000 - _KNOWN)]
            self.messages = _column(connection, "SELECT message_id FROM inbox LIMIT 100")
            self.headers_id = self.waiting[2].headers_id


def _column(connection: Connection, statement: str, **values: object) -> list[Any]:
    return [next(iter(row.values())) for row in fetch_all(connection, statement, **values)]


def _asked(ids: _Found) -> Iterator[tuple[str, Callable[[Connection], object]]]:
    # whoever only reads comes first: what others take back lies in tables and indexes until a vacuum
    yield from _people()
    yield from _ticks(ids)
    yield from _intake(ids)
    yield from _batches(ids)
    yield from _results(ids)


def _intake(ids: _Found) -> Iterator[tuple[str, Callable[[Connection], object]]]:
    yield "accept a message of 500 items", lambda connection: _accept(connection, ids.headers_id)
    yield "answer confirm", lambda connection: answer.verdicts(connection, ids.messages)
    yield "answer outcome", _outcome
    yield "answer run", lambda connection: answer.run_counts(connection, RUN)


def _accept(connection: Connection, headers_id: int) -> object:
    receipt = uuid4()
    accepting.begin(connection, [receipt])
    new = [_new_item(number, headers_id) for number in range(500)]
    admissions = accepting.insert_items(connection, (2, "lane 2"), 1, new)
    assert [admission.word for admission in admissions] == ["new"] * 500
    accepting.record_verdicts(connection, {receipt: accepting.Verdict(500, 0, ())}, {receipt: "default"})
    return admissions


def _new_item(number: int, headers_id: int) -> NewItem:
    return NewItem(
        position=number,
        receipt=str(uuid4()),
        key=f"new {number}",
        key_hash=uuid4().bytes,
        content_hash=uuid4().bytes,
        headers_id=headers_id,
        tenant_id=None,
        model_id=1,
        schema_id=None,
        shape_id=None,
        target_id=1,
        prefix=None,
        params=b"{}",
        size=1000,
        max_tokens=1000,
        tenant=None,
        trace_id=None,
        callback=b"{}",
    )


def _outcome(connection: Connection) -> object:
    _, row = answer.asked_for(connection, answer.Asked("lane 2", KEY))
    assert row is not None
    return row


def _batches(ids: _Found) -> Iterator[tuple[str, Callable[[Connection], object]]]:
    prices = load(None)
    yield "pack: look what waits", pack.waiting
    yield "pack a batch of 5,000", lambda connection: _pack(connection, ids.waiting[2], prices)
    yield "pack a batch of 5,000 of 50 tenants", lambda connection: _pack(connection, ids.waiting[1], prices)
    yield "pack a batch of 5,000, no tenants at all", lambda connection: _pack_without(connection, ids, prices)
    yield "submit: claim", _claim_to_submit
    yield "poll: what to look for", _poll
    yield "poll: which of 1,000 are known", lambda connection: poll.known_api_ids(connection, ids.api_ids)


def _pack(connection: Connection, waiting: pack.Waiting, prices: Prices) -> object:
    turn = pack.take_turn(connection, waiting)
    assert turn is not None
    packed = pack.pack(connection, turn, prices, max_items=5_000, max_bytes=200_000_000)
    assert packed.items == 5_000
    return packed


def _pack_without(connection: Connection, ids: _Found, prices: Prices) -> object:
    fetch_all(connection, "DELETE FROM tenant")
    return _pack(connection, ids.waiting[2], prices)


def _claim_to_submit(connection: Connection) -> object:
    limits = {"default": 10_000_000}
    claim = submit.claim(connection, token=str(uuid4()), owner=_OWNER, lease_s=_LEASE_S, queue_limits=limits)
    assert claim is not None
    assert len(list(submit.requests(connection, claim))) == IN_FLIGHT
    return claim


def _poll(connection: Connection) -> object:
    workspaces.workspaces(connection)
    watched = poll.watched(connection, "default")
    assert watched
    poll.doubles(connection, "default")
    poll.running_sightings(connection, "default")
    poll.unknown_batches(connection, "default", datetime.now(UTC) - timedelta(days=1))
    return poll.end(connection, watched[0].submission_id, datetime.now(UTC), "{}")


def _results(ids: _Found) -> Iterator[tuple[str, Callable[[Connection], object]]]:
    def claim(connection: Connection) -> object:
        reading = collect.claim(connection, owner=_OWNER, lease_s=_LEASE_S)
        assert reading is not None
        return reading

    yield "collect: claim", claim
    yield "collect: record 2,000 answers", lambda connection: _record(connection, ids)
    yield "collect: finish", lambda connection: collect.finish(connection, ids.reading, passed_over=False)
    yield "deliver: where is something due", deliver.targets
    yield "deliver: claim 2,000, taken", lambda connection: _deliver(connection, ids)
    yield "deliver: acknowledge 2,000", lambda connection: _acknowledge(connection, ids)


def _record(connection: Connection, ids: _Found) -> object:
    reading = ids.reading
    source = Source(reading.submission_id, reading.batch_id, reading.api_id, only_live=True)
    assert collect.only_live(connection, reading)
    arrivals = [
        Arrival(item_id, Fate.SUCCEED, message=b"{}", model="m", billed=True, cost_nano=1, realtime_nano=2)
        for item_id in ids.answered
    ]
    collect.output_schemas(connection, ids.answered)
    clear = deliver.targets_in_the_clear(connection)
    recorded = outcomes.record(connection, source, arrivals, max_attempts=3, claim=clear, lease_s=_LEASE_S)
    assert recorded.succeeded == len(ids.answered)
    return recorded_and_claimed(connection, source, arrivals, recorded)


def _deliver(connection: Connection, ids: _Found) -> object:
    due = deliver.claim(connection, ids.target, limit=_CHUNK, lease_s=_LEASE_S)
    assert len(due) == _CHUNK
    mine = [delivery.item_id for delivery in due]
    deliver.sent_by_others(connection, ids.target, mine=mine)
    return deliver.taken(connection, mine)


def _acknowledge(connection: Connection, ids: _Found) -> object:
    said = [Acknowledgement(row["item_id"], 0, row["receipt"]) for row in ids.sent]
    assert acknowledge.acknowledge(connection, said) == _CHUNK
    return said


def _ticks(_found: _Found) -> Iterator[tuple[str, Callable[[Connection], object]]]:
    yield "sweep: strays", _strays
    yield "sweep: what has work", rescue.stages_with_work
    yield (
        "sweep: lapsed deliveries",
        lambda connection: deliver.free_lapsed(connection, {"lane 1": 3}, 3, by_broker={}, limit=_CHUNK),
    )
    yield "sweep: held items", lambda connection: budgets.release_held(connection, [])
    yield "each minute: keep house", _keep_house


def _strays(connection: Connection) -> object:
    rescue.void_abandoned(connection)
    rescue.doubt_abandoned(connection)
    return rescue.noted_but_not_open(connection)


def _keep_house(connection: Connection) -> object:
    obstacles.give_up(connection, {"lane 1": 60.0}, 60.0, by_broker={}, limit=_CHUNK)
    obstacles.forget(connection)
    rescue.fold_tally(connection)
    unfinished.fold(connection)
    costs.fold_days(connection)
    rescue.forget_messages(connection)
    caching.forget(connection)
    prefixes.delete_unused(connection)
    plans.settle(connection)
    return partitions.make_partitions(connection)


def _people() -> Iterator[tuple[str, Callable[[Connection], object]]]:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    yield "overnight status", _status
    few = pages_asked.SMALL_HAS_BATCHES
    yield "overnight batches", lambda connection: overview.batches(connection, limit=few)
    yield "overnight items, the last of a lane", lambda connection: _items(connection, Wanted(lane="lane 2"))
    yield "overnight items --state failed", lambda connection: _items(connection, Wanted(state="failed"))
    yield "overnight items --state waiting", lambda connection: _items(connection, Wanted(state="waiting"))
    yield "overnight items --key", lambda connection: _items(connection, Wanted(key=KEY))
    yield from pages_asked.by_an_index()
    yield "overnight costs, a day", lambda connection: costs.costs(connection, "lane", today - timedelta(days=1))
    yield "overnight costs --by day", lambda connection: costs.costs(connection, "day")
    yield "overnight costs --by tenant", lambda connection: costs.costs(connection, "tenant")
    yield "overnight costs --by run", lambda connection: costs.costs(connection, "run")
    yield "overnight doctor: room for locks", lock_room.lock_room
    yield "the bill of a run", lambda connection: costs.costs(connection, "model", run_name=RUN)
    yield "overnight budget", budgets.budgets
    yield (
        "plan: what a lane's answers came to",
        lambda connection: history.answers(connection, "lane 2", max_items=5_000),
    )


def _status(connection: Connection) -> object:
    """As `take_snapshot` reads it."""
    overview.lanes(connection)
    overview.batches(connection, states=BATCH.unfinished, limit=200)
    overview.batches(connection, states=sorted(BATCH.final), limit=12)
    workspaces.workspaces(connection)
    overview.turnarounds(connection)
    overview.dead_deliveries(connection)
    return troubles.troubles(connection)


def _items(connection: Connection, wanted: Wanted) -> object:
    return list(item_views.items(connection, wanted, limit=20))
