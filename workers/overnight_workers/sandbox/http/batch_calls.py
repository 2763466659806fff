"""The calls of the Message Batches API."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from overnight_models.money.prices import Prices
from overnight_workers.sandbox.batch import Batch
from overnight_workers.sandbox.batches.accepting import Desk
from overnight_workers.sandbox.batches.bodies import forget
from overnight_workers.sandbox.batches.intake import MAX_BODY_BYTES
from overnight_workers.sandbox.batches.results import lines_of
from overnight_workers.sandbox.batches.shelf import Shelf
from overnight_workers.sandbox.clock import Clock
from overnight_workers.sandbox.errors import Refusal
from overnight_workers.sandbox.faults.faults import SHAPES, Rule
from overnight_workers.sandbox.http.calls import JSON, Call, HungUp
from overnight_workers.sandbox.http.streaming import Lines
from overnight_workers.sandbox.options import Options
from overnight_workers.sandbox.store import Store

_FOREIGN_HOST = "https://results.sandbox.invalid"


class BatchCalls:
    """One method for each call."""

    def __init__(self, desk: Desk, shelf: Shelf, store: Store, prices: Prices, clock: Clock, options: Options) -> None:
        self._desk = desk
        self._shelf = shelf
        self._store = store
        self._prices = prices
        self._options = options
        self._clock = clock

    async def create(self, call: Call) -> Response:
        """`POST /v1/messages/batches`: accepted once it would survive the death of this process."""
        path = self._desk.incoming()
        try:
            await self._spool(call, path)
        except BaseException:
            # Not the whole body came: nothing is created.
            forget(path)
            raise
        batch = await run_in_threadpool(self._accepted, call, path)
        return self._shown(call, batch)

    def _accepted(self, call: Call, path: Path) -> Batch:
        caller = call.caller
        again: Path | None = None
        if call.fired("twice") is not None:
            again = self._desk.incoming()
            shutil.copyfile(path, again)
        batch = self._desk.accept(path, caller.workspace, caller.version, caller.betas)
        if again is not None:
            self._desk.accept(again, caller.workspace, caller.version, caller.betas)
        return batch

    async def _spool(self, call: Call, path: Path) -> None:
        size = 0
        closing = call.fired("close_during_body") is not None
        with path.open("wb") as file:
            async for chunk in call.request.stream():
                size += len(chunk)
                if closing and size:
                    raise HungUp
                if size <= MAX_BODY_BYTES:
                    file.write(chunk)
        call.body_read = True
        if call.fired("close_after_body") is not None:
            raise HungUp
        if size > MAX_BODY_BYTES:
            raise Refusal(413, "Payload Too Large", html=True)

    async def retrieve(self, call: Call) -> Response:
        """`GET /v1/messages/batches/{id}`."""
        batch = await run_in_threadpool(self._shelf.find, _id(call), call.caller.workspace, _standing(call, "missing"))
        return self._shown(call, batch)

    async def list(self, call: Call) -> Response:
        """`GET /v1/messages/batches`."""
        limit = call.query_int("limit", 20, 1, 1000)
        after, before = call.request.query_params.get("after_id"), call.request.query_params.get("before_id")
        if after is not None and before is not None:
            raise Refusal(400, "after_id, before_id: only one of them may be given")
        if call.fired("repeat_page") is not None:
            after = None
        batches: list[Batch] = []
        more = False
        if call.fired("empty") is None:
            batches, more = await run_in_threadpool(
                self._shelf.page,
                call.caller.workspace,
                limit=limit,
                after=after,
                before=before,
                hidden_by=_standing(call, "late"),
            )
        page = {
            "data": [self._document(call, batch) for batch in batches],
            "has_more": more,
            "first_id": batches[0].id if batches else None,
            "last_id": batches[-1].id if batches else None,
        }
        return JSON(_odd(page, {rule.do for rule in call.rules}))

    async def cancel(self, call: Call) -> Response:
        """`POST /v1/messages/batches/{id}/cancel`."""
        batch = await run_in_threadpool(self._shelf.cancel, _id(call), call.caller.workspace)
        return self._shown(call, batch)

    async def delete(self, call: Call) -> Response:
        """`DELETE /v1/messages/batches/{id}`."""
        await run_in_threadpool(self._shelf.delete, _id(call), call.caller.workspace)
        return JSON({"id": _id(call), "type": "message_batch_deleted"})

    async def results(self, call: Call) -> Response:
        """`GET /v1/messages/batches/{id}/results`."""
        batch = await run_in_threadpool(self._shelf.find, _id(call), call.caller.workspace)
        if not batch.ended:
            raise Refusal(404, f"Batch {batch.id} has no results yet: it is {batch.status}.")
        age_s = self._shelf.ended_for_s(batch)
        if any(rule.hides(age_s, batch.fate) for rule in _standing(call, "missing")):
            raise Refusal(404)
        if batch.archived(self._clock.now()) is not None:
            raise Refusal(404, f"The results of batch {batch.id} are no longer available.")
        shapes = frozenset(rule.do for rule in call.rules)
        lines: Iterator[bytes] = lines_of(self._store, self._prices, self._options, batch, shapes & SHAPES)
        for rule in _standing(call, "short"):
            if rule.hides(age_s, batch.fate):
                lines = islice(lines, batch.requests // 2 if rule.lines is None else rule.lines)
        return Lines(lines, batch.requests, f"{batch.id}_results.jsonl", call.rules)

    def _shown(self, call: Call, batch: Batch) -> Response:
        return JSON(self._document(call, batch))

    def _document(self, call: Call, batch: Batch) -> dict[str, Any]:
        """The MessageBatch object, as wrong as the faults say."""
        document = batch.shown(_results_host(call), self._clock.now())
        counts = document["request_counts"]
        if call.fired("counts_lag") is not None:
            largest = max(counts, key=lambda name: counts[name])
            counts[largest] -= 1
        if call.fired("extra_counts") is not None:
            counts["total"] = batch.requests
        if call.fired("null_id") is not None:
            document["id"] = None
        other = call.fired("other_id")
        if other is not None:
            document["id"] = other.message or f"msgbatch_01{'0' * 22}"
        return document


def _odd(page: dict[str, Any], deeds: set[str]) -> dict[str, object]:
    """A page as the faults want it."""
    rows = page["data"]
    for row in rows:
        if "no_created_at" in deeds:
            del row["created_at"]
        if "nested_counts" in deeds:
            row["request_counts"] = {"by_state": row["request_counts"]}
    if "null_row" in deeds:
        rows.insert(len(rows) // 2, None)
    return {name: value for name, value in page.items() if name != "has_more" or "no_has_more" not in deeds}


def _id(call: Call) -> str:
    return str(call.request.path_params["batch_id"])


def _results_host(call: Call) -> str:
    return call.base_url if call.fired("foreign_host") is None else _FOREIGN_HOST


def _standing(call: Call, do: str) -> Sequence[Rule]:
    return [rule for rule in call.rules if rule.do == do and rule.standing]
