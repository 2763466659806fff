"""The meter: what was accepted and what it costs, priced apart from whatever a client keeps.

Every accepted create counts, so a batch submitted twice shows as money. Only requests that succeeded are
billed, when their batch has ended, whether or not anybody reads the results. A message is billed at once.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, TypeAlias

from overnight_models.money.prices import Model, Prices, Usage, cost, costs_of
from overnight_workers.sandbox.answers.shapes import Beside
from overnight_workers.sandbox.answers.work import Done, beside_of, usage_of
from overnight_workers.sandbox.store import Store

_Sums: TypeAlias = dict[str, Any]
"""What a workspace has done, as the meter's page has it."""
_BILL = """
INSERT INTO bill VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (workspace, model, road) DO UPDATE SET
    requests = requests + excluded.requests,
    input_tokens = input_tokens + excluded.input_tokens,
    write_5m_tokens = write_5m_tokens + excluded.write_5m_tokens,
    write_1h_tokens = write_1h_tokens + excluded.write_1h_tokens,
    cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
    output_tokens = output_tokens + excluded.output_tokens,
    nanodollars = nanodollars + excluded.nanodollars,
    realtime_nanodollars = realtime_nanodollars + excluded.realtime_nanodollars
"""
_ACCEPTED = """
INSERT INTO accepted VALUES (?, ?, ?, ?)
ON CONFLICT (workspace) DO UPDATE SET
    creates = creates + excluded.creates, requests = requests + excluded.requests,
    strangers = strangers + excluded.strangers
"""
_SEEN = "INSERT INTO seen VALUES (?, {billed})"
_TWICE = """
SELECT count(*) FROM (SELECT 1 FROM seen WHERE billed = {billed} GROUP BY params HAVING count(*) > 1)
"""
_PRICED_KEPT = 4096
_TOKENS = ("input_tokens", "write_5m_tokens", "write_1h_tokens", "cache_read_tokens", "output_tokens")


class Tally:
    """The bill of one batch or message while it is being added up."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._by_model: dict[str, list[int]] = {}
        self._priced: dict[tuple[object, ...], tuple[int, int]] = {}

    def add(self, done: Done, *, batch: bool) -> None:
        """Bill one request that succeeded."""
        assert done.plan is not None, "only what succeeded is billed"
        model = done.plan.model
        assert model is not None, "only what succeeded is billed"
        usage = usage_of(done)
        # Requests of a batch are alike: most have been priced before.
        known = (model.name, done.split, usage.output_tokens, usage.inference_geo, usage.web_search_requests)
        priced = self._priced.get(known)
        if priced is None:
            if len(self._priced) >= _PRICED_KEPT:
                self._priced.clear()
            realtime = cost(model, usage, batch=False)
            priced = self._priced[known] = (cost(model, usage, batch=True) if batch else realtime, realtime)
        beside = beside_of(done)
        if beside is not None:
            priced = self._add_beside(beside, (model, usage), batch=batch)
        self._sum(model.name, 1, usage, priced)

    def _add_beside(self, beside: Beside, own: tuple[Model, Usage], *, batch: bool) -> tuple[int, int]:
        """Bill what was done beside an answer; they are rounded together. Returns what the answer itself costs."""
        model = self._prices.model(beside.model)
        assert model is not None, "the sandbox asks models of the price list"
        batched, realtime = costs_of([own, (model, beside.usage)])
        whole = (batched if batch else realtime, realtime)
        alone = cost(model, beside.usage, batch=batch), cost(model, beside.usage, batch=False)
        self._sum(model.name, 0, beside.usage, alone)
        return whole[0] - alone[0], whole[1] - alone[1]

    def _sum(self, name: str, requests: int, usage: Usage, priced: tuple[int, int]) -> None:
        sums = self._by_model.setdefault(name, [0] * 8)
        counters = usage[:5]
        for at, number in enumerate((requests, *counters, *priced)):
            sums[at] += number

    def save(self, db: sqlite3.Connection, workspace: str, road: str) -> None:
        """Add it to the bill, inside the caller's transaction."""
        db.executemany(_BILL, [(workspace, model, road, *sums) for model, sums in self._by_model.items()])


class Meter:
    """Counts calls in memory, the rest in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._calls: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()

    def count_call(self, workspace: str, endpoint: str, status: str) -> None:
        """One call answered with a status, or `closed`. workspace: empty if its key opens none."""
        with self._lock:
            self._calls[workspace, endpoint, status] += 1

    def flush_calls(self) -> None:
        """Keep the calls counted since the last time. A killed process loses a fraction of a second of them."""
        with self._lock:
            calls, self._calls = self._calls, Counter()
        if not calls:
            return
        with self._store.writing() as db:
            db.executemany(
                "INSERT INTO answered VALUES (?, ?, ?, ?)"
                " ON CONFLICT (workspace, endpoint, status) DO UPDATE SET times = times + excluded.times",
                [(*call, times) for call, times in calls.items()],
            )

    def read(self) -> dict[str, object]:
        """Everything, as `GET /sandbox/meter` answers it."""
        self.flush_calls()
        db = self._store.reader
        workspaces: defaultdict[str, _Sums] = defaultdict(_nothing)
        for row in db.execute("SELECT * FROM accepted"):
            workspaces[row["workspace"]] |= {
                "creates_accepted": row["creates"],
                "requests_accepted": row["requests"],
                "strangers_accepted": row["strangers"],
            }
        bill = [dict(row) for row in db.execute("SELECT * FROM bill")]
        for row in bill:
            workspaces[row["workspace"]]["bill"].append(row)
        batched = [row for row in bill if row["road"] == "batch"]
        direct = [row for row in bill if row["road"] == "direct"]
        calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for row in db.execute("SELECT * FROM answered"):
            calls[row["endpoint"]][row["status"]] += row["times"]
            if row["workspace"]:
                workspaces[row["workspace"]]["calls"].setdefault(row["endpoint"], {})[row["status"]] = row["times"]
        return {
            "creates_accepted": sum(workspace["creates_accepted"] for workspace in workspaces.values()),
            "requests_accepted": sum(workspace["requests_accepted"] for workspace in workspaces.values()),
            "requests_accepted_twice": _count(db, _TWICE.format(billed=0)),
            "requests_billed": sum(row["requests"] for row in batched),
            "requests_billed_twice": _count(db, _TWICE.format(billed=1)),
            "batch_nanodollars": sum(row["nanodollars"] for row in batched),
            "batch_realtime_nanodollars": sum(row["realtime_nanodollars"] for row in batched),
            "messages_billed": sum(row["requests"] for row in direct),
            "direct_nanodollars": sum(row["nanodollars"] for row in direct),
            "nanodollars": sum(row["nanodollars"] for row in bill),
            "tokens": {key: sum(row[key] for row in bill) for key in _TOKENS},
            "batches_unsettled": _count(db, "SELECT count(*) FROM batch WHERE settled_real_s IS NULL AND deleted = 0"),
            "workspaces": workspaces,
            "calls": calls,
        }

    def reset(self) -> None:
        """Start again from nothing. Batches stay; those that haven't ended are billed when they do."""
        with self._lock:
            self._calls.clear()
        with self._store.writing() as db:
            for table in ("accepted", "answered", "bill", "seen"):
                db.execute(f"DELETE FROM {table}")


def save_accepted(
    db: sqlite3.Connection, workspace: str, hashes: Iterable[int], requests: int, *, stranger: bool
) -> None:
    """Count an accepted create, inside the transaction that accepts it. A stranger's is nobody's double."""
    if stranger:
        db.execute(_ACCEPTED, (workspace, 0, 0, 1))
        return
    db.execute(_ACCEPTED, (workspace, 1, requests, 0))
    db.executemany(_SEEN.format(billed=0), ((hash_,) for hash_ in hashes))


def save_billed(db: sqlite3.Connection, hashes: Iterable[int]) -> None:
    """Count requests as billed, inside the transaction that bills them."""
    db.executemany(_SEEN.format(billed=1), ((hash_,) for hash_ in hashes))


def _nothing() -> _Sums:
    """What a workspace has done that has done nothing yet."""
    return {"creates_accepted": 0, "requests_accepted": 0, "strangers_accepted": 0, "bill": [], "calls": {}}


def _count(db: sqlite3.Connection, query: str) -> int:
    return int(db.execute(query).fetchone()[0])
