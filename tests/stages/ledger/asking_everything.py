"""All that the ledger can be asked, asked of a small ledger: by the stages as they run, and function by function."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection

from overnight_models.ledger import (
    accept,
    answer,
    cancel,
    deployment,
    following,
    measure,
    partitions,
    poll,
    prefixes,
    recall,
    redo,
    rescue,
    schema,
    workspaces,
)
from overnight_models.ledger.collect import asking_again, caching, collect, outcomes, spending
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.collect.caching import Choice
from overnight_models.ledger.database import Database
from overnight_models.ledger.deliver import acknowledge, obstacles, replay, unread_queues
from overnight_models.ledger.deliver import deliver as deliveries
from overnight_models.ledger.deliver.replay import Replayed
from overnight_models.ledger.deployment import Forgotten
from overnight_models.ledger.measure import Shortened
from overnight_models.ledger.money import budgets, costs, history, plans, runs, settle
from overnight_models.ledger.money.plans import Estimates, Range
from overnight_models.ledger.names import models
from overnight_models.ledger.operators import known_names, lanes, overview, pulse, redoing, troubles
from overnight_models.ledger.operators.overview import Wanted
from overnight_models.ledger.pack import pack, priming, rates
from overnight_models.ledger.pack.turns import StayBehind
from overnight_models.ledger.poll import UnknownBatch
from overnight_models.ledger.roads import kept, running, waiting
from overnight_models.ledger.roads.running import Cost, Risk
from overnight_models.ledger.rows import execute
from overnight_models.ledger.submit import facts, rejected, shapes, submit
from overnight_models.request.prefix import Prefix
from overnight_models.wire.acknowledgement import Acknowledgement
from overnight_models.wire.message import ItemLine
from overnight_models.wire.outcome import Problem
from overnight_workers import process
from tests.driving import MODEL, Service, callback, item, params, put_prefix
from tests.service.ledger import Json
from tests.stages.ledger.asking_direct import ask_direct, ask_racing

NOW = datetime(2026, 11, 29, tzinfo=UTC)
CONTRACT = "Every clause of it. " * 1200
NOBODY = 10**12
"""The number of no row."""


def ask_everything(service: Service) -> None:
    """Each group of questions in a transaction that is taken back; the stages write what they ask about."""
    database = process.database()
    _enqueue(service)
    service.round()
    _enqueue(service, "again")
    _prefixes(database)
    _known_keys(service, database)
    groups = (
        _intake,
        _packing,
        _deadlines,
        _within_budgets,
        _sent,
        _unclear,
        _rejected,
        _disowned,
        _again,
        _redoing,
        _restored,
        _polling,
        ask_direct,
        ask_racing,
    )
    for ask in (*groups, _collecting, _money, _delivering, _obstacles, _operators, _keeping_house):
        with database.engine.connect() as connection, connection.begin() as transaction:
            ask(connection)
            transaction.rollback()


def _enqueue(service: Service, name: str = "first") -> None:
    prefix = put_prefix(service, Prefix.of({"system": CONTRACT}))
    described: Json = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    wanted = {"format": {"type": "json_schema", "schema": described}}
    plain = item(f"{name} plain", callback=callback())
    service.accept(
        plain,
        item(f"{name} tenant", tenant="acme", callback=callback(ack=True)),
        *(item(f"{name} contract {n}", prefix=prefix, params=params(f"Question {name} {n}")) for n in range(3)),
        item(f"{name} structured", params=params(f"{name} structured", output_config=wanted)),
        run="r",
    )
    service.accept(plain, run="r")
    # the same content with other wishes
    service.accept(item(f"{name} plain", callback=callback("other")), run="r")
    service.accept(item(f"{name} structured", "another text"), run="r")


def _prefixes(database: Database) -> None:
    """A process that knows none yet reads them, and stores what Redis has."""
    document = Prefix.of({"system": CONTRACT})
    known = prefixes.Prefixes(database, lambda _: document.document)
    assert known.find(document.hash) is not None
    other = Prefix.of({"system": CONTRACT * 2})
    assert prefixes.Prefixes(database, lambda _: other.document).find(other.hash) is not None


def _known_keys(service: Service, database: Database) -> None:
    """Followers, of an item that is final and of one that waits, and another try of an item that failed."""
    follower = item("first plain", callback=callback("crm"), if_known="deliver")
    service.accept(follower, run="r")
    service.accept(follower | {"id": str(uuid4())}, run="r")
    service.accept(item("again plain", callback=callback("crm"), if_known="deliver"), run="r")
    with database.transaction() as connection:
        answer.locate(connection, answer.Asked("default", "first plain", UUID(follower["id"])))
        following.answer(connection)
        execute(
            connection, "UPDATE item SET state = 'failed' WHERE id = :id", id=_final(connection, "first structured")
        )
    service.accept(item("first structured", "with another text", if_known="redo"))


def _final(connection: Connection, key: str = "first contract 0") -> int:
    """An item that has its outcome."""
    (newest,) = overview.items(connection, Wanted(key=key, state="succeeded"), limit=1)
    return int(newest["id"])


def _waiting(connection: Connection) -> pack.Waiting:
    (source,) = pack.waiting(connection)
    return source


def _deadlines(connection: Connection) -> None:
    """Of what waits, and of a batch that runs."""
    waiting.earliest(connection, ["default"])
    pack.most(connection, "default")
    source = _waiting(connection)
    waiting.leave(connection, source.lane_id, source.headers_id, needs_s=60, limit=10)
    waiting.of_no_use(connection, limit=10)
    running.to_look_at(connection)
    risks, costs = [Risk(NOBODY, 60)], [Cost(1, "pool", 0.1, 0.0, 0.0)]
    for race in (True, False):
        running.at_risk(connection, risks, costs, answer_s=60, ahead_s=60, race=race)
    running.look_again(connection, NOBODY, 60)
    kept.note_settled(connection, {NOBODY: 1}, direct=True)
    kept.note_doubles(connection, {NOBODY: 1}, via="batch")
    kept.kept(connection)
    kept.late(connection)
    kept.limited(connection)
    kept.fold(connection)
    running.stop(connection, NOBODY, "deadlines are at risk")
    history.lengths(connection)
    models(connection)


def _packed(connection: Connection) -> None:
    packed = pack.pack(connection, _waiting(connection), process.prices(), max_items=100, max_bytes=10_000_000)
    assert packed.items


def _claimed(connection: Connection, token: str = "a token") -> submit.Claim:
    limits = {"default": 1_000}
    claim = submit.claim(connection, token=token, owner=1, lease_s=60, queue_limits=limits)
    assert claim is not None
    return claim


def _opened(connection: Connection, claim: submit.Claim, api_id: str = "msgbatch_a") -> None:
    submit.set_workspace(connection, claim.submission_id, "wrkspc_a")
    assert submit.send(connection, claim.submission_id, items=claim.items, create_timeout_s=60, allowance_s=60)
    assert submit.authorize_last_bytes(connection, claim.submission_id, margin_s=1)
    facts.note_api_id(connection, claim.submission_id, api_id, NOW, None)
    assert facts.open_submission(connection, claim.submission_id)


def _intake(connection: Connection) -> None:
    accept.uncount(connection, [uuid4()])
    answer.verdicts(connection, [uuid4()])
    answer.states(connection, "default", ["first plain"])
    answer.run_counts(connection, "r")
    answer.locate(connection, answer.Asked("default", "first plain"))
    answer.read_item(connection, _final(connection))
    answer.outcomes_page(connection, run="r", lane=None, problem=None, after=0)
    prefixes.use(connection, [1])
    prefixes.read(connection, 1)
    (waits, *_) = overview.items(connection, Wanted(state="waiting"))
    measure.want(connection, [(waits["id"], None)])
    assert measure.claim(connection, owner=1, limit=10, max_bytes=1000, lease_s=60)
    measure.settle(connection, [1])
    measure.shorten(connection, Shortened(1, b"{}", True, 10, 20, 10))
    measure.put_back(connection, [1])
    measure.try_later(connection, 1, pause_s=1)


def _packing(connection: Connection) -> None:
    """Items of tenants and of none, with those that stay behind, and one that goes ahead."""
    source = _waiting(connection)
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


def _within_budgets(connection: Connection) -> None:
    prices, lane = process.prices(), _waiting(connection).lane_id
    for strict, cap in ((False, 10**12), (True, 1)):
        budgets.set_budget(connection, "lane", lane, "day", cap, prices, strict=strict)
        budgets.set_budget(connection, "run", 1, "all", 10**12, prices, strict=strict)
    budgets.budgets(connection)
    source = _waiting(connection)
    assert pack.pack(connection, source, prices, max_items=100, max_bytes=1_000_000).held
    budgets.set_budget(connection, "lane", lane, "day", 10**12, prices, strict=False)
    assert budgets.release_held(connection, [MODEL])
    _packed(connection)
    claim = _claimed(connection)
    submit.doubt(connection, claim.submission_id, claim.batch_id, "no answer")
    assert submit.lose(connection, claim.submission_id, claim.batch_id)
    settle.settle(connection, claim.batch_id, {1: 1})
    settle.charge(connection, claim.batch_id, {1: None})
    settle.free(connection, claim.batch_id, [1])
    settle.close(connection, claim.batch_id)
    settle.fold(connection)
    budgets.remove_budget(connection, "lane", lane, "day")


def _sent(connection: Connection) -> None:
    """A batch on its way, from its claim to its end."""
    _packed(connection)
    claim = _claimed(connection)
    shapes.to_be_asked(connection, claim.batch_id, limit=10)
    shapes.members(connection, claim.batch_id, 1)
    shapes.passed(connection, [1])
    assert submit.release_unsent(connection, claim.submission_id, claim.batch_id, "no room", pause_s=0)
    claim = _claimed(connection, "another token")
    list(submit.requests(connection, claim))
    list(submit.requests_by_prefix(connection, claim))
    groups = caching.groups(connection, claim.batch_id)
    caching.note(connection, claim.submission_id, [Choice(group, "5m", "it pays") for group in groups])
    caching.hit_rates(connection, "default")
    _opened(connection, claim)
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
        billed._replace(item_id=_final(connection)),
        Arrival(members[-2], Fate.RETRY_OWN, problem="overloaded"),
        Arrival(members[-1], Fate.FAIL_OWN, problem="invalid"),
    ]
    collect.output_schemas(connection, members)
    collect.output_schema(connection, 1)
    source = Source(reading.submission_id, reading.batch_id, reading.api_id, only_live=True, has_prefixes=True)
    clear = deliveries.targets_in_the_clear(connection)
    recorded = outcomes.record(connection, source, arrivals, max_attempts=3, claim=clear, lease_s=60)
    deliveries.claimed(connection, source, arrivals, recorded)


def _unclear(connection: Connection) -> None:
    _packed(connection)
    claim = _claimed(connection)
    assert submit.doubt(connection, claim.submission_id, claim.batch_id, "no answer")
    submit.say_why_unclear(connection, claim.batch_id, "no list says anything")
    assert troubles.unclear(connection, claim.batch_id)
    assert submit.lose(connection, claim.submission_id, claim.batch_id)
    _opened(connection, _claimed(connection, "another token"))
    collect.lose(connection, claim.submission_id, "gone")


def _rejected(connection: Connection) -> None:
    _packed(connection)
    claim = _claimed(connection)
    assert submit.reject(connection, claim.submission_id, claim.batch_id, "400")
    turned_down = rejected.take_rejected(connection)
    assert turned_down is not None
    rejected.members(connection, turned_down.batch_id)
    parts = rejected.divide(connection, turned_down)
    settle.pass_on(connection, turned_down.batch_id, parts)
    assert lanes.pause(connection, turned_down.lane_id, "a word")
    assert lanes.resume(connection, turned_down.lane_id) is not None


def _disowned(connection: Connection) -> None:
    """Batches whose results bear another token: its own is not known, or is known as a twin."""
    _packed(connection)
    claim = _claimed(connection)
    _opened(connection, claim)
    assert facts.disown(connection, claim.submission_id, "another token")
    facts.note_api_id(connection, claim.submission_id, "msgbatch_d", NOW, None)
    assert facts.open_submission(connection, claim.submission_id)
    facts.note_api_id(connection, claim.submission_id, "msgbatch_e", NOW, None)
    assert poll.end(connection, claim.submission_id, NOW, "{}")
    reading = collect.claim(connection, owner=1, lease_s=60)
    assert reading is not None
    assert collect.disown(connection, reading, "another token")


def _redoing(connection: Connection) -> None:
    """What failed is tried again: as a group, and by itself with what was wrong in its prompt."""
    item_id = _final(connection)
    assert redo.why_not(connection, item_id) is not None
    execute(connection, "UPDATE item SET state = 'failed' WHERE id = :id", id=item_id)
    wrong = Arrival(item_id, Fate.FAIL, problem=Problem.INVALID_OUTPUT, message=b"{}", detail="a is missing")
    rule = asking_again.Rule(times=1, max_bytes=1_000_000)
    assert asking_again.ask_again(connection, [wrong], {item_id}, rule) == {item_id}
    other = _final(connection, "first contract 1")
    execute(connection, "UPDATE item SET state = 'failed' WHERE id = :id", id=other)
    wish = redoing.Wish(lane="default", run="r")
    assert redoing.prospect(connection, wish, process.prices()).items == 1
    until = redoing.newest(connection)
    assert redoing.redo_group(connection, wish, after=0, until=until, limit=10) == (1, other)


def _restored(connection: Connection) -> None:
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


def _again(connection: Connection) -> None:
    """What is recalled before it came, tried again, or sent again."""
    recall.exclusively(connection)
    receipt = uuid4()
    recall.note(connection, receipt)
    recall.take(connection, [str(receipt)])
    recall.forget(connection)
    item_id = _final(connection)
    following.send_again(connection, [item_id])
    following.answer(connection)
    execute(connection, "UPDATE item SET state = 'failed' WHERE id = :id", id=item_id)
    assert redo.redo(connection, [item_id])


def _polling(connection: Connection) -> None:
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


def _collecting(connection: Connection) -> None:
    caching.given_up(connection)
    caching.measure(connection, 1, [1], [10], [10])
    rates.expected(connection, rates.road_rates(connection, process.prices(), batch=True), 1)
    spending.bill(
        connection,
        Source(1, 1, None, only_live=True),
        [Arrival(1, Fate.SUCCEED, billed=True, message=b"{}", model="m", cost_nano=None, realtime_nano=None)],
        {},
    )


def _money(connection: Connection) -> None:
    lines: list[ItemLine] = [{"key": "first plain", "params": {}}, {"key": "first tenant", "params": {}}]
    history.answers(connection, "default")
    history.answers_of(connection, "default", ["first plain"])
    history.known(connection, "default", lines)
    history.turnarounds(connection)
    amount = Range(1, 1, 1)
    plans.keep(connection, 1, 1, Estimates(1, amount, amount, amount), "{}")
    plans.kept(connection, "r")
    plans.settle(connection)
    plans.past(connection, "default")
    runs.timeline(connection, "r")
    for by in ("lane", "tenant", "model", "run", "day"):
        costs.costs(connection, by)
    costs.maybe_billed(connection)


def _delivering(connection: Connection) -> None:
    execute(connection, "UPDATE delivery SET state = 'due', due_at = now() - interval '1 minute'")
    target, *_ = deliveries.targets(connection)
    due = deliveries.claim(connection, target, limit=10, lease_s=60)
    assert due
    ids = [delivery.item_id for delivery in due]
    deliveries.sent_by_others(connection, target, mine=ids)
    deliveries.release(connection, due)
    deliveries.schedule_retry(connection, ids, "away", pause_s=1)
    deliveries.taken_to_be_acknowledged(connection, ids, within_s=60)
    deliveries.taken(connection, ids)
    deliveries.dead_letter(connection, ids, "never")
    deliveries.free_lapsed(connection, {"default": 3}, 3, limit=10)
    acknowledge.acknowledge(connection, [Acknowledgement(ids[0], 0, uuid4())])
    replay.replay(connection, Replayed("dead"), after=0, limit=10)
    replay.replay(connection, Replayed("delivered", "default", "r", "first plain", NOW), after=0, limit=10)


def _obstacles(connection: Connection) -> None:
    obstacles.away(connection, "crm", "no route")
    obstacles.full(connection, "crm", "shop", "no room")
    obstacles.overcome(connection, "crm", "shop")
    unread_queues.note(
        connection, {one.id: unread_queues.QueueLook(1, "a hash") for one in unread_queues.targets(connection)}
    )
    obstacles.take_turns(connection)
    obstacles.unreachable_brokers(connection)
    obstacles.full_queues(connection)
    obstacles.give_up(connection, {"default": 60.0}, 60.0, limit=10)
    obstacles.forget(connection)


def _operators(connection: Connection) -> None:
    overview.lanes(connection)
    overview.batches(connection, states=["packed"], limit=10)
    overview.turnarounds(connection)
    overview.dead_deliveries(connection)
    wanted = Wanted("default", "first plain", "r", 1, "succeeded", "any", NOW, final=True)
    list(overview.items(connection, wanted, 10))
    list(overview.items(connection, replace(wanted, delivery="delivered"), 10, deliveries=True))
    known_names.unknown_lane(connection, "default", ())
    known_names.unknown_run(connection, "nobody's")
    known_names.unknown_batch(connection, 1)
    pulse.pulses(connection)
    pulse.note_run(connection, "pack")
    pulse.note_failure(connection, "pack", "OSError: no room", lasts_s=90)
    pulse.note_work(connection, ["pack"])
    troubles.troubles(connection)
    workspaces.workspaces(connection)
    workspaces.learn(connection, "default", "wrkspc_a")
    workspaces.note_look(connection, "default", "a page of the list", pause_s=1)
    workspaces.hold(connection, "default", "402")
    workspaces.release(connection, "default")
    workspaces.is_well(connection, "default")
    workspaces.slow_down(connection, "default", 1)
    cancel.cancel(connection, _final(connection))
    _packed(connection)
    (batched, *_) = overview.items(connection, Wanted(state="batched"))
    assert cancel.cancel(connection, batched["id"]) is cancel.Canceled.CANCELED


def _keeping_house(connection: Connection) -> None:
    rescue.void_abandoned(connection)
    rescue.doubt_abandoned(connection)
    rescue.noted_but_not_open(connection)
    rescue.stages_with_work(connection)
    rescue.fold_tally(connection)
    rescue.forget_messages(connection)
    rescue.forget_sightings(connection)
    caching.forget(connection)
    measure.forget(connection)
    prefixes.delete_unused(connection)
    execute(connection, "SELECT setval('item_id', 30000000)")
    assert partitions.make_partitions(connection)
    schema.server_version(connection)
    schema.revisions(connection)
    # as a ledger of 0.1 is
    execute(connection, f"ALTER TABLE {schema.VERSION_TABLE} RENAME TO alembic_version")
    schema._adopt_version(connection)
