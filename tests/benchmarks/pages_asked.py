"""What Flower's pages, and the commands beside them, ask of a filled ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection

from overnight_models.ledger.catalogs import runs, schedules
from overnight_models.ledger.deliver import replay
from overnight_models.ledger.deliver.replay import Replayed
from overnight_models.ledger.money import budgets, costs, history
from overnight_models.ledger.operators import (
    actions,
    batch_list,
    canceling,
    delivery_list,
    item_life,
    item_list,
    lanes,
    problems,
    redoing,
    run_list,
)
from overnight_models.ledger.operators.batch_list import BatchFilter
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.operators.problems import Which
from overnight_models.ledger.operators.purge import group
from overnight_models.ledger.operators.purge.wanted import Purge
from overnight_models.money.prices import load
from tests.benchmarks.filling import KEY, RARE, RUN

SMALL_HAS_BATCHES: Final = 40
_SMALL_HAS_RUNS: Final = 3
"""Pages of that length are asked for, so that both ledgers show as many rows: the ledger with few items has no more."""

Ask = Callable[[Connection], object]

_BY_AN_INDEX: Final = (
    ("items", ItemFilter()),
    ("items of a key", ItemFilter(key=KEY)),
    ("items of a run", ItemFilter(run=RUN)),
    ("items that wait", ItemFilter(state="waiting")),
    ("items that are held", ItemFilter(state="held")),
    ("items of a batch", ItemFilter(batch_id=1)),
    ("items whose delivery is due", ItemFilter(delivery="due")),
    ("items whose delivery is dead", ItemFilter(delivery="dead")),
    ("items that failed", ItemFilter(state="failed")),
    ("items with a problem", ItemFilter(problem="any")),
)
_BY_WINDOWS: Final = (
    ("items with a problem that three have", ItemFilter(problem=RARE)),
    ("items of a lane", ItemFilter(lane="lane 2")),
    ("items of a tenant", ItemFilter(tenant="tenant 3")),
    ("items of a model that none has", ItemFilter(model="claude-opus-5-5")),
    ("items of a key that begins so", ItemFilter(key_prefix="item 1")),
    ("items by a prefix that no key has", ItemFilter(key_prefix="nothing")),
    ("items that are late", ItemFilter(late=True)),
    ("items enqueued in an hour long ago", ItemFilter(enqueued_before=datetime.now(UTC) - timedelta(days=18))),
)
"""Where no index knows them, a page looks for a second and says how far it has come."""


def by_an_index() -> Iterator[tuple[str, Ask]]:
    """What takes as long however many items there are."""
    for name, wanted in _BY_AN_INDEX:
        yield f"Flower: {name}", partial(item_list.page, wanted=wanted)
    yield "Flower: one item", partial(item_life.life, item_id=1)
    yield "Flower: batches", lambda connection: batch_list.page(connection, BatchFilter(), limit=SMALL_HAS_BATCHES)
    yield "Flower: one batch", partial(batch_list.life, batch_id=1)
    yield "Flower: deliveries", lambda connection: (delivery_list.targets(connection), delivery_list.dead(connection))
    yield "Flower: money", _money
    yield "Flower: runs and schedules", _runs
    yield "Flower: lanes", lanes.states
    yield "Flower: actions", actions.actions
    for name, which in (("", Which()), (" of a lane", Which(lane="lane 2")), (" of a run", Which(run=RUN))):
        yield f"Flower: problems{name}, and overnight errors", partial(_problems, which=which)
    yield (
        "preview: try a run again",
        lambda connection: redoing.prospect(connection, ItemFilter(run=RUN), load(None)),
    )
    yield (
        "preview: cancel a batch",
        lambda connection: canceling.prospect(connection, ItemFilter(batch_id=1), load(None)),
    )
    waits = ItemFilter(lane="lane 2", state="waiting")
    yield "preview: drain a lane", lambda connection: canceling.prospect(connection, waits, load(None))
    yield "preview: resume a lane", lambda connection: canceling.unsent(connection, load(None), lane="lane 2")
    yield "preview: purge a run", lambda connection: group.prospect(connection, Purge(items=ItemFilter(run=RUN)))
    of_queue = Replayed(state="dead", queue="queue 1")
    yield "preview: replay what is dead of a queue", lambda connection: replay.count(connection, of_queue)
    yield "preview: replay what is dead", lambda connection: replay.count(connection, Replayed(state="dead"))


def by_windows() -> Iterator[tuple[str, Ask]]:
    """What is looked for in windows, and bounded in time."""
    for name, wanted in _BY_WINDOWS:
        yield f"Flower: {name}", partial(item_list.page, wanted=wanted)


def _money(connection: Connection) -> object:
    since = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=6)
    costs.costs(connection, "day", since)
    costs.costs(connection, "lane", since)
    costs.maybe_billed(connection, since)
    run_list.planned(connection)
    return budgets.budgets(connection)


def _runs(connection: Connection) -> object:
    schedules.schedules(connection)
    runs.runs(connection, limit=30)
    history.turnarounds(connection, limit=SMALL_HAS_BATCHES)
    return run_list.page(connection, limit=_SMALL_HAS_RUNS)


def _problems(connection: Connection, which: Which) -> object:
    return problems.said(connection, which), problems.totals(connection)
