"""All that the ledger can be asked by people and by the sweep: money, what there is to see, housekeeping."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from overnight_models.ledger import (
    cancel,
    counters,
    deployment,
    lock_room,
    measure,
    partitions,
    prefixes,
    rescue,
    schema,
    workspaces,
)
from overnight_models.ledger.collect import caching
from overnight_models.ledger.money import costs, history, plans, runs
from overnight_models.ledger.money.plans import Estimates, Range
from overnight_models.ledger.operators import (
    actions,
    batch_list,
    canceling,
    delivery_list,
    failures,
    item_life,
    item_list,
    item_views,
    known_names,
    lanes,
    later_versions,
    overview,
    problems,
    pulse,
    run_list,
    troubles,
    unfinished,
    unused,
)
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.operators.item_views import Wanted
from overnight_models.ledger.operators.purge import api_batches, group, texts
from overnight_models.ledger.operators.purge import steps as purge_steps
from overnight_models.ledger.operators.purge.wanted import Purge, items_of_key
from overnight_models.ledger.retention import bodies, keep, keys, money, steps
from overnight_models.ledger.retention.keep import Keep
from overnight_models.ledger.rows import execute
from overnight_models.wire.message import ItemLine
from overnight_workers import process
from tests.stages.ledger.rows_to_ask import NOW, final_item, packed


def ask_money(connection: Connection) -> None:
    lines: list[ItemLine] = [{"id": key, "key": key, "params": {}} for key in ("first plain", "first tenant")]
    history.answers(connection, "default")
    history.answers_of(connection, "default", ["first plain"])
    history.known(connection, "default", lines)
    history.turnarounds(connection)
    amount = Range(1, 1, 1)
    plans.keep(connection, 1, 1, Estimates(1, amount, amount, amount), "{}")
    plans.kept(connection, "r")
    plans.settle(connection)
    plans.past(connection, "default")
    plans.errors(connection)
    runs.timeline(connection, "r")
    for by in ("lane", "tenant", "model", "run", "day"):
        costs.costs(connection, by)
    costs.fold_days(connection)
    costs.maybe_billed(connection)


def ask_operators(connection: Connection) -> None:
    overview.lanes(connection)
    overview.batches(connection, states=["packed"], limit=10)
    overview.turnarounds(connection)
    overview.dead_deliveries(connection)
    wanted = Wanted("default", "first plain", "r", 1, "succeeded", "any", NOW, final=True)
    list(item_views.items(connection, wanted, 10))
    list(item_views.items(connection, replace(wanted, delivery="delivered"), 10, deliveries=True))
    newest = ask_item_list(connection)
    assert item_life.life(connection, newest)
    assert item_life.life(connection, final_item(connection))
    assert item_life.body(connection, newest)
    batch_list.page(connection, batch_list.BatchFilter(lane="default", state=batch_list.UNFINISHED), before=10)
    batch_list.page(connection, batch_list.BatchFilter(workspace="default", api_id="msgbatch_a"))
    assert batch_list.life(connection, 1)
    delivery_list.targets(connection)
    delivery_list.dead(connection)
    run_list.page(connection, prefix="r")
    run_list.planned(connection)
    known_names.unknown_lane(connection, "default", ())
    known_names.unknown_run(connection, "nobody's")
    known_names.unknown_tenant(connection, "nobody")
    known_names.unknown_queue(connection, "nobody's")
    known_names.unknown_model(connection, "nobody's")
    known_names.unknown_batch(connection, 1)
    known_names.unknown_key(connection, "nobody has it", None)
    pulse.pulses(connection)
    counters.add(connection, {(counters.API_CALLS, "create 200"): 1})
    counters.add_turnaround(connection, 1, NOW)
    counters.counters(connection)
    counters.fold(connection)
    pulse.note_run(connection, "pack")
    failures.note(connection, "pack", "lane a", "OSError: no room", lasts_s=90)
    failures.end(connection, "pack", "lane a")
    failures.forget(connection)
    pulse.note_work(connection, ["pack"])
    troubles.troubles(connection)
    workspaces.workspaces(connection)
    workspaces.learn(connection, "default", "wrkspc_a")
    workspaces.note_look(connection, "default", "a page of the list", pause_s=1)
    workspaces.hold(connection, "default", "402")
    workspaces.release(connection, "default")
    workspaces.is_well(connection, "default")
    workspaces.slow_down(connection, "default", 1)
    cancel.cancel(connection, final_item(connection))
    packed(connection)
    (batched, *_) = item_views.items(connection, Wanted(state="batched"))
    assert cancel.cancel(connection, batched.id) is cancel.Canceled.CANCELED
    ask_lanes(connection)
    ask_actions(connection)
    ask_purge(connection)


def ask_lanes(connection: Connection) -> None:
    """Paused, drained, looked at; what their problems say."""
    assert lanes.drain(connection, 1, "ada") is not None
    lanes.end_drains(connection)
    lanes.pause(connection, 1, "for a look", "ada")
    lanes.states(connection)
    lanes.resume(connection, 1)
    which = problems.Which("default", "r", "any", NOW)
    problems.said(connection, which)
    problems.said(connection, problems.Which())
    problems.totals(connection)
    problems.finished(connection, replace(which, problem="errored"), 10)


def ask_actions(connection: Connection) -> None:
    """One about many items, group by group; one that is aborted; one that was done at once."""
    wanted = ItemFilter(lane="default", run="r", state="waiting")
    canceling.prospect(connection, wanted, process.prices())
    canceling.unsent(connection, process.prices(), lane="default")
    canceling.unsent(connection, process.prices(), workspace="default")
    by = actions.By("ada")
    wish = actions.wish_of(wanted)
    number, _ = actions.begin(connection, "cancel", wish, by, items=1)
    assert actions.begin(connection, "cancel", wish, by, items=1) == (number, True)
    assert actions.under_way(connection, "cancel", wish)
    assert actions.standing_still(connection, for_s=-1.0) == [number]
    assert later_versions.of_later_version(connection, number) is None
    assert actions.step(connection, number)
    number, _ = actions.begin(connection, "cancel", wish, by, items=1)
    assert actions.abort(connection, number, "ada")
    actions.note(connection, "pause", {"lane": "default"}, by)
    actions.actions(connection)
    every = actions.ActionFilter(actor="ada", name="pause", target="default", since=NOW, until=NOW)
    actions.actions(connection, every, before=9)
    actions.action(connection, number)


def ask_purge(connection: Connection) -> None:
    """What is on its way canceled, with keys, prefixes and chains; then batches that are to be deleted at the API."""
    ids = items_of_key(connection, "first plain")
    by_key = Purge(items=ItemFilter(ids=ids), key_hash=b"k" * 16, cancel=True, keys=True)
    group.prospect(connection, by_key)
    actions.note(connection, "cancel", {"key": "first plain"}, actions.By("ada"))
    number, _ = actions.begin(connection, "purge", by_key.wish, actions.By("ada"), items=1)
    purge_steps.prepare(connection, number, 1)
    assert actions.step(connection, number)
    purge_steps.step(connection, Purge(items=ItemFilter(run="r")), None, after=0, until=9_999, limit=10)
    purge_steps.untidy(connection, for_s=5)
    purge_steps.note_tidied(connection, number)
    texts.forget_shared(connection, unused.go_on(connection, unused.begin(connection, [1], [1])))
    api_batches.want_deleted(connection, ids, shared=False)
    api_batches.schedule(connection, {"default": 86_400.0})
    api_batches.deletable(connection)
    api_batches.note_deleted(connection, 1)
    api_batches.put_off(connection, 1, 600.0)


def ask_item_list(connection: Connection) -> int:
    """By each filter alone. Returns the newest item."""
    filters = (
        ItemFilter(lane="default"),
        ItemFilter(tenant="nobody's"),
        ItemFilter(run="r"),
        ItemFilter(state="held"),
        ItemFilter(state="waiting"),
        ItemFilter(problem="any"),
        ItemFilter(problem="refused"),
        ItemFilter(state="failed"),
        ItemFilter(model="nobody's"),
        ItemFilter(enqueued_since=NOW, enqueued_before=NOW),
        ItemFilter(key="first plain"),
        ItemFilter(key_prefix="first"),
        ItemFilter(queue="shop"),
        ItemFilter(batch_id=1),
        ItemFilter(delivery="dead"),
        ItemFilter(delivery="delivered"),
        ItemFilter(late=True),
        ItemFilter(ids=(1, 2)),
    )
    with connection.begin_nested() as failed:
        # those with a problem are looked for among outcomes that have one
        execute(
            connection,
            "UPDATE outcome SET ok = false, problem = 'refused' WHERE item_id = :id",
            id=final_item(connection),
        )
        for wanted in filters:
            item_list.page(connection, wanted)
        failed.rollback()
    return item_list.page(connection, ItemFilter()).items[0].id


def ask_keeping_house(connection: Connection) -> None:
    with connection.begin_nested() as abandoned:
        execute(connection, "UPDATE batch SET state = 'submitting' WHERE id = 1")
        execute(
            connection,
            """
            INSERT INTO submission (batch_id, token, state, send_by)
            VALUES (1, 'abandoned', 'sending', now() - interval '1 minute')
            """,
        )
        assert rescue.void_abandoned(connection).submissions == 1
        abandoned.rollback()
    rescue.doubt_abandoned(connection)
    rescue.noted_but_not_open(connection)
    rescue.stages_with_work(connection)
    rescue.fold_tally(connection)
    unfinished.fold(connection)
    rescue.forget_messages(connection)
    rescue.forget_sightings(connection)
    caching.forget(connection)
    measure.forget(connection)
    prefixes.delete_unused(connection)
    execute(connection, "SELECT setval('item_id', 30000000)")
    assert partitions.make_partitions(connection)
    partitions.note_full(connection)
    deployment.begin_groups(connection)
    lock_room.lock_room(connection)
    schema.server_version(connection)
    schema.revisions(connection)
    # as a ledger of 0.1 is
    execute(connection, f"ALTER TABLE {schema.VERSION_TABLE} RENAME TO alembic_version")
    schema._adopt_version(connection)


def ask_retention(connection: Connection) -> None:
    """Deliveries, bodies, outcomes, keys and money go, in their order; copying is given up once."""
    execute(connection, "SELECT setval('item_id', 30000000)")
    partitions.note_full(connection)
    later = datetime.now(UTC) + timedelta(days=9)

    def step(keeping: Keep) -> None:
        assert steps.step(connection, dict.fromkeys((1, 2), keeping), now=later, again_s=-1) is not None

    step(Keep(deliveries=1.0))
    step(Keep(bodies=1.0))
    step(Keep(bodies=1.0))
    steps._wait(connection, 0, "there is much to do")
    bodies._give_up_copying(connection, 0, "there is much to do")
    step(Keep(bodies=1.0))
    execute(connection, "UPDATE kept SET copied_to = 5000000 WHERE first_item = 0")
    step(Keep(bodies=1.0))
    step(Keep(outcomes=1.0))
    assert keys.drop_keys(connection, {1: Keep(keys=0.5)}, later) is not None
    money.forget_money(connection, {1: Keep(money=1.0)}, now=later)
    keep.kept(connection)
