"""Ending batches: count what became of their requests, bill it, and say once that they have ended."""

from __future__ import annotations

import logging
import threading
import time
from array import array
from collections import Counter
from pathlib import Path

from overnight_models.money.prices import Prices
from overnight_workers.sandbox.answers.caching import Breakpoint, Cache
from overnight_workers.sandbox.answers.work import Work
from overnight_workers.sandbox.batch import RESULTS_KEPT_US, Batch
from overnight_workers.sandbox.batches.bodies import Bodies, forget
from overnight_workers.sandbox.clock import Clock
from overnight_workers.sandbox.meter import Meter, Tally, save_billed
from overnight_workers.sandbox.options import Options
from overnight_workers.sandbox.store import Store

_TICK_S = 0.05
_TICKS_PER_ARCHIVING = 20


class Settler:
    """Settles batches that are due: a thread of its own does, and so does whoever can't wait for it."""

    def __init__(self, store: Store, clock: Clock, prices: Prices, meter: Meter, options: Options) -> None:
        self._store = store
        self._clock = clock
        self._prices = prices
        self._meter = meter
        self._options = options
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="settler", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop it, and keep what is only in memory."""
        self._stop.set()
        self._thread.join()
        self._meter.flush_calls()

    def settle_due(self, within_s: float | None = None, only: str | None = None) -> None:
        """Settle what is due, the longest due first; stop after `within_s`. `only` is one batch's id."""
        give_up_at = None if within_s is None else time.monotonic() + within_s
        while give_up_at is None or time.monotonic() < give_up_at:
            row = self._store.reader.execute(
                "SELECT id FROM batch WHERE settled_real_s IS NULL AND due_at <= ? AND (? IS NULL OR id = ?)"
                " ORDER BY due_at LIMIT 1",
                (self._clock.now(), only, only),
            ).fetchone()
            if row is None:
                return
            self._settle(row["id"])

    def _settle(self, batch_id: str) -> None:
        with self._turn:
            row = self._store.reader.execute("SELECT * FROM batch WHERE id = ?", (batch_id,)).fetchone()
            if row is None or row["settled_real_s"] is not None:
                return
            batch = Batch.of(row)
            path = self._store.body_path(batch.id)
            cache = Cache(self._store, batch.workspace, "batch", self._options.seed)
            depths = bytearray(batch.requests)
            work = Work(
                self._prices,
                self._options.seed,
                self._options.answer_bytes,
                batch,
                DepthReader(batch, cache, depths, self._options),
            )
            counts: Counter[str] = Counter()
            tally, billed = Tally(self._prices), array("q")
            with Bodies(path) as bodies:
                for position, raw in enumerate(bodies.in_order()):
                    done = work.done(position, raw)
                    counts[done.kind] += 1
                    if done.answer is not None:
                        tally.add(done, batch=True)
                        billed.append(bodies.hashes[position])
            if any(depths):
                path.with_suffix(".cached").write_bytes(depths)
            self._end(batch, counts, tally, billed, cache)

    def _end(self, batch: Batch, counts: Counter[str], tally: Tally, billed: array[int], cache: Cache) -> None:
        with self._store.writing() as db:
            # A cancel that came meanwhile changes what becomes of the requests: then it is all done again.
            ended = db.execute(
                "UPDATE batch SET settled_real_s = ?, succeeded = ?, errored = ?, canceled = ?, expired = ?"
                " WHERE id = ? AND settled_real_s IS NULL AND cancel_at IS ?",
                (
                    time.time(),
                    counts["succeeded"],
                    counts["errored"],
                    counts["canceled"],
                    counts["expired"],
                    batch.id,
                    batch.cancel_at,
                ),
            )
            if not ended.rowcount:
                return
            cache.save(db, self._clock.now())
            if not batch.stranger:
                tally.save(db, batch.workspace, "batch")
                save_billed(db, billed)

    def archive(self) -> None:
        """Let go of results that are older than 29 days."""
        before = self._clock.now() - RESULTS_KEPT_US
        rows = self._store.reader.execute(
            "SELECT id, created_at FROM batch"
            " WHERE archived_at IS NULL AND settled_real_s IS NOT NULL AND created_at <= ? LIMIT 1000",
            (before,),
        ).fetchall()
        if not rows:
            return
        with self._store.writing() as db:
            db.executemany(
                "UPDATE batch SET archived_at = ? WHERE id = ?",
                [(row["created_at"] + RESULTS_KEPT_US, row["id"]) for row in rows],
            )
        for row in rows:
            forget(self._store.body_path(row["id"]))

    def _run(self) -> None:
        ticks = 0
        while not self._stop.wait(_TICK_S):
            ticks += 1
            try:
                self.settle_due(within_s=1.0)
                self._meter.flush_calls()
                if ticks % _TICKS_PER_ARCHIVING == 0:
                    self.archive()
            except Exception:  # the sandbox goes on; the batch stays in progress, and the log says why
                logging.getLogger("overnight.sandbox").exception("settling failed")
                self._stop.wait(1.0)


class DepthReader:
    """Asks the cache, at the time each request runs, and notes the answer for the results."""

    def __init__(self, batch: Batch, cache: Cache, depths: bytearray, options: Options) -> None:
        self._batch = batch
        self._cache = cache
        self._depths = depths
        self._options = options

    def __call__(self, position: int, points: list[Breakpoint]) -> int:
        """How many of the breakpoints are read."""
        batch, options = self._batch, self._options
        at_us = batch.created_at + (batch.due_at - batch.created_at) * position // batch.requests
        depth = self._cache.depth_read(points, at_us, options.hit_rate, options.warm_hit_rate, batch.fate, position)
        self._depths[position] = depth
        return depth


def noted_depths(path: Path, requests: int) -> bytes:
    """The depths noted when the batch was settled."""
    noted = path.with_suffix(".cached")
    return noted.read_bytes() if noted.exists() else bytes(requests)
