"""All that the ledger can be asked about items before and after their batch: accepted, followed, redone, delivered."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import Connection

from overnight_models.ledger import (
    accept,
    answer,
    following,
    hand_overs,
    measure,
    prefixes,
    recall,
    redo,
    release,
)
from overnight_models.ledger.bodies import answers, damaged, groups, requests
from overnight_models.ledger.collect import asking_again
from overnight_models.ledger.collect.arrivals import Arrival, Fate
from overnight_models.ledger.deliver import (
    acknowledge,
    obstacles,
    pace,
    replay,
    senders,
    unread_queues,
    webhook_groups,
)
from overnight_models.ledger.deliver import deliver as deliveries
from overnight_models.ledger.deliver.replay import Replayed
from overnight_models.ledger.measure import Shortened
from overnight_models.ledger.money import history
from overnight_models.ledger.names import models, shapes
from overnight_models.ledger.operators import item_views, redoing
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.operators.item_views import Wanted
from overnight_models.ledger.pack import pack
from overnight_models.ledger.roads import kept, running, waiting
from overnight_models.ledger.roads.running import Cost, Risk
from overnight_models.ledger.rows import execute, fetch_column, fetch_only_value
from overnight_models.ledger.submit import unsent
from overnight_models.wire.acknowledgement import Acknowledgement
from overnight_models.wire.outcome import Problem
from overnight_workers import process
from tests.stages.ledger.rows_to_ask import NOBODY, NOW, final_item, waiting_source


def ask_deadlines(connection: Connection) -> None:
    """Of what waits, and of a batch that runs."""
    waiting.earliest(connection, ["default"])
    pack.largest_waiting(connection, "default")
    source = waiting_source(connection)
    waiting.leave(connection, source.lane_id, source.headers_id, needs_s=60, most_doubts=1, limit=10)
    waiting.of_no_use(connection, limit=10)
    running.to_look_at(connection)
    risks, costs = [Risk(NOBODY, 60, 1)], [Cost(1, "pool", 0.1, 0.0, 0.0)]
    for race in (True, False):
        running.at_risk(connection, risks, costs, answer_s=60, ahead_s=60, race=race)
    running.look_again(connection, NOBODY, 60)
    unsent.take_out(connection, NOBODY, needs_s=60)
    unsent.leave_to_calls(connection, NOBODY)
    kept.note_settled(connection, {NOBODY: 1}, direct=True)
    kept.note_doubles(connection, {NOBODY: 1}, via="batch")
    kept.kept(connection)
    kept.late(connection)
    kept.limited(connection)
    kept.fold(connection)
    running.stop(connection, NOBODY, "deadlines are at risk")
    history.lengths(connection)
    history.prompt_rates(connection)
    models(connection)
    shapes(connection, [b"a shape's hash"])


def ask_intake(connection: Connection) -> None:
    accept.uncount(connection, [uuid4()])
    answer.verdicts(connection, [uuid4()])
    answer.states(connection, "default", ["first plain"])
    answer.run_counts(connection, "r")
    answer.locate(connection, answer.Asked("default", "first plain"))
    answer.asked_for(connection, answer.Asked("default", "first plain"))
    answer.read_item(connection, final_item(connection))
    answer.outcomes_page(connection, run="r", lane=None, problem=None, after=0)
    prefixes.use(connection, [1])
    prefixes.read(connection, 1)
    (waits, *_) = item_views.items(connection, Wanted(state="waiting"))
    measure.want(connection, [measure.Wanted(waits.id, None, chooses=False)])
    assert measure.claim(connection, owner=1, limit=10, max_bytes=1000, lease_s=60)
    measure.settle(connection, [1])
    measure.choose(connection, measure.Chosen(1, 1, None, "it is short", b"{}", 10))
    measure.shorten(connection, Shortened(1, b"{}", True, 10, 20, 10))
    measure.release(connection, [1])
    measure.try_later(connection, 1, pause_s=1)


def ask_bodies(connection: Connection) -> None:
    """Bodies lie in groups: written, and read again."""
    groups.are_begun(connection)
    places = groups.write_groups(connection, "request_group", [groups.Body(9, None, b"{}" * 5_000)])
    groups.read_places(connection, "request_group", places.values())
    (waits, *_) = item_views.items(connection, Wanted(state="waiting"))
    assert requests.hold(connection, {waits.id: "it is damaged"}) == 1
    assert requests.unreadable(connection)
    execute(
        connection, "UPDATE request SET body_group = 9, body_place = 0, params = NULL WHERE item_id = :id", id=waits.id
    )
    assert release.is_anything_held(connection)
    assert release.release(connection) == 1
    requests.forget(connection, [waits.id])
    groups.forget_places(connection, "request_group", [(9, 0)])
    assert requests.give_own(connection, [waits.id]) == {}
    unsent.put_aside(connection, 1, {waits.id: "it is damaged"})
    answers.write(connection, [groups.Body(9, None, b"{}" * 5_000)], {})
    damaged.note(connection, "answer_group", {NOBODY: "it is cut", 9: "it was cut"})
    damaged.look_again(connection)
    damaged.forget_damaged(connection, "answer_group", NOBODY, NOBODY + 1)
    execute(connection, "UPDATE outcome SET message = NULL, body_group = 9, body_place = 0")
    answers.forget(connection, [final_item(connection)])
    answers.give_own(connection, [final_item(connection)])


def ask_redoing(connection: Connection) -> None:
    """What failed is tried again: as a group, and by itself with what was wrong in its prompt."""
    item_id = final_item(connection)
    assert redo.why_not(connection, item_id) is not None
    execute(connection, "UPDATE item SET state = 'failed' WHERE id = :id", id=item_id)
    wrong = Arrival(item_id, Fate.FAIL, problem=Problem.INVALID_OUTPUT, message=b"{}", detail="a is missing")
    rule = asking_again.Rule(times=1, max_bytes=1_000_000)
    assert asking_again.ask_again(connection, [wrong], {item_id}, rule) == {item_id}
    other = final_item(connection, "first contract 1")
    execute(connection, "UPDATE item SET state = 'failed' WHERE id = :id", id=other)
    execute(connection, "UPDATE outcome SET ok = false, problem = 'errored' WHERE item_id = :id", id=other)
    wanted = ItemFilter(lane="default", run="r")
    assert redoing.prospect(connection, wanted, process.prices()).items == 1
    assert redoing.redo_group(connection, wanted, after=0, until=other, limit=10) == (1, other)


def ask_again(connection: Connection) -> None:
    """What is recalled before it came, tried again, or sent again."""
    recall.exclusively(connection)
    receipt = uuid4()
    recall.note(connection, receipt)
    recall.take(connection, [str(receipt)])
    recall.forget(connection)
    item_id = final_item(connection)
    following.send_again(connection, [item_id])
    following.answer(connection)
    execute(connection, "UPDATE item SET state = 'failed' WHERE id = :id", id=item_id)
    assert redo.redo(connection, [item_id])


def ask_hand_overs(connection: Connection) -> None:
    """One whose deliverer died, and one that was taken; that is sent again then."""
    item_id = final_item(connection)
    execute(connection, "DELETE FROM delivery WHERE item_id = :id", id=item_id)
    target_id = fetch_only_value(connection, int, "SELECT min(id) FROM target")
    execute(connection, "UPDATE item SET target_id = :target_id WHERE id = :id", id=item_id, target_id=target_id)
    for lease_s in (-1, 60):
        assert hand_overs.begin(connection, 1, target_id, {item_id: 2000}, lease_s=lease_s) == item_id
        execute(connection, "UPDATE outcome SET handed_over = true WHERE item_id = :id", id=item_id)
        if lease_s < 0:
            assert hand_overs.give_rows_to_lapsed(connection) == 1
            execute(connection, "DELETE FROM delivery WHERE item_id = :id", id=item_id)
    assert hand_overs.end(connection, [item_id]) == {item_id}
    everything = fetch_column(connection, int, "SELECT id FROM item")
    assert hand_overs.give_rows_to_delivered(connection, everything) >= 1


def ask_delivering(connection: Connection) -> None:
    hand_overs.give_rows_to_delivered(connection, fetch_column(connection, int, "SELECT id FROM item"))
    execute(connection, "UPDATE delivery SET state = 'due', due_at = now() - interval '1 minute'")
    target, *_ = deliveries.targets(connection)
    due = deliveries.claim(connection, target, limit=10, lease_s=60)
    assert due
    ids = [delivery.item_id for delivery in due]
    with connection.begin_nested() as lapsed:
        execute(connection, "UPDATE delivery SET due_at = now() - interval '1 minute' WHERE state = 'sending'")
        assert sum(deliveries.free_lapsed(connection, {"default": 3}, 3, by_broker={}, limit=10)) == len(ids)
        lapsed.rollback()
    deliveries.sent_by_others(connection, target, mine=ids)
    deliveries.release(connection, due)
    deliveries.schedule_retry(connection, ids, "away", pause_s=1)
    deliveries.taken_to_be_acknowledged(connection, ids, within_s=60)
    deliveries.taken(connection, ids)
    deliveries.dead_letter(connection, ids, "never")
    acknowledge.acknowledge(connection, [Acknowledgement(ids[0], 0, uuid4())])
    assert replay.count(connection, Replayed("dead")) == 0
    assert replay.count(connection, Replayed("dead", queue="shop")) == 0
    replay.replay(connection, Replayed("dead"), after=0, until=9, limit=10)
    replay.replay(connection, Replayed("delivered", "default", "r", "first plain", NOW), after=0, until=9, limit=10)


def ask_webhooks(connection: Connection) -> None:
    hand_overs.give_rows_to_delivered(connection, fetch_column(connection, int, "SELECT id FROM item"))
    execute(connection, "UPDATE target SET broker = 'webhook:shop'")
    execute(connection, "UPDATE delivery SET state = 'due', tries = 0, due_at = now() - interval '1 minute'")
    assert deliveries.webhooks_are_due(connection)
    target, *_ = deliveries.webhooks(connection)
    this, other = uuid4(), uuid4()
    assert senders.begin(connection, target.id, this)
    assert not senders.begin(connection, target.id, other)
    assert senders.go_on(connection, [target.id], this) == {target.id}
    assert senders.go_on(connection, [target.id], other) == set()
    senders.end(connection, target.id, this)
    assert senders.begin(connection, target.id, other)
    rules = webhook_groups.GroupRules(2, 0.0, 1_000_000, 256_000)
    rate = pace.Pace.of(100.0, burst_s=1.0)
    assert webhook_groups.claim(connection, target, rules, groups=1, rate=rate, lease_s=60)
    obstacles.pause(connection, target.broker, "HTTP 503", pause_s=30)
    assert obstacles.look_again(connection, target.broker)


def ask_obstacles(connection: Connection) -> None:
    obstacles.away(connection, "crm", "no route")
    obstacles.full(connection, "crm", "shop", "no room")
    obstacles.overcome(connection, "crm", "shop")
    unread_queues.note(
        connection, {target.id: unread_queues.QueueLook(1, "a hash") for target in unread_queues.targets(connection)}
    )
    obstacles.take_turns(connection)
    obstacles.unreachable_brokers(connection)
    obstacles.full_queues(connection)
    obstacles.give_up(connection, {"default": 60.0}, 60.0, by_broker={}, limit=10)
    obstacles.forget(connection)
