"""Accept: a producer's message becomes rows, once per key; a bad item is turned down alone, visibly."""

from __future__ import annotations

import time
from typing import Any, Final
from uuid import UUID

import orjson
from celery.exceptions import Reject

from overnight_models import message, routes
from overnight_models.errors import TransientError
from overnight_models.item_check import item_faults, lane_faults
from overnight_models.ledger import accept as ledger
from overnight_models.ledger.accept import NewItem, Verdict
from overnight_models.ledger.answer import content_hash, key_hash
from overnight_workers import doorbell, logs, output_schema, process
from overnight_workers.app import app
from overnight_workers.settings import settings

MAX_TRIES: Final = 5
"""A message that killed its worker so often isn't parsed again."""

log = logs.get(__name__)


@app.task(name=routes.ACCEPT)
def accept(v: int, message_id: str, lane: str, items: str, run: str | None = None, **_later: Any) -> str:
    """Accept one message (`overnight_models.message`). Running it again changes nothing."""
    try:
        return _take(v, UUID(message_id), lane, items, run)
    except Exception as error:
        # a task that fails is acknowledged, and its items would be gone; tries are counted, so this ends
        log.warning("message put back", message_id=message_id, error=str(error), exc_info=_unexpected(error))
        time.sleep(1)  # the database is away: there is no condition to wait for but time
        raise Reject(str(error), requeue=True) from error


def _unexpected(error: Exception) -> bool:
    return not isinstance(error, TransientError)


def _take(v: int, receipt: UUID, lane: str, items: str, run: str | None) -> str:
    database = process.database()
    # counted in a transaction of its own, before anything of it is looked at: it may kill this process
    with database.transaction() as connection:
        tries, done = ledger.begin(connection, receipt)
    if done is not None:
        return f"known: {done}"
    lines = list(message.read_lines(items))
    if v != message.VERSION:
        verdict = _reject_all(receipt, lines, f"accept messages of version {v} aren't known here: update the workers")
    elif tries > MAX_TRIES:
        verdict = _reject_all(receipt, lines, f"its message failed {tries - 1} times; see the workers' log")
    else:
        verdict = _accept(receipt, lane, run, lines)
    if verdict.rejected:
        log.warning("items rejected", lane=lane, rejected=len(verdict.rejected), first=verdict.rejected[0])
    if verdict.accepted:
        doorbell.ring(routes.PACK)
    return f"{lane}: {verdict.accepted} accepted, {verdict.known} known, {len(verdict.rejected)} rejected"


def _reject_all(receipt: UUID, lines: list[str], why: str) -> Verdict:
    verdict = Verdict(0, 0, tuple({"index": index, "key": None, "why": why} for index in range(len(lines))))
    with process.database().transaction() as connection:
        ledger.conclude(connection, receipt, verdict)
    return verdict


def _accept(receipt: UUID, lane: str, run: str | None, lines: list[str]) -> Verdict:
    wrong_lane = lane_faults(lane, process.policy())
    if wrong_lane:
        return _reject_all(receipt, lines, wrong_lane[0])
    if not _may_name_a_run(run):
        return _reject_all(receipt, lines, f"the run's name must be a text without NUL, not {run!r}")
    checked = [_check(index, line, lane) for index, line in enumerate(lines)]
    new = [item for item in checked if isinstance(item, NewItem)]
    rejected = [fault for fault in checked if not isinstance(fault, NewItem)]
    lane_id, run_id = process.names().lane(lane), process.names().run(run)
    with process.database().transaction() as connection:
        accepted, known, conflicting = ledger.insert_items(connection, lane_id, run_id, new)
        rejected += [
            {
                "index": item.index,
                "key": item.key,
                "why": f"key {item.key!r} is taken in lane {lane!r} by an item with other content:"
                " give this one another key",
            }
            for item in conflicting
        ]
        rejected.sort(key=lambda fault: fault["index"])
        verdict = Verdict(accepted, len(known), tuple(rejected))
        ledger.conclude(connection, receipt, verdict)
    return verdict


def _may_name_a_run(run: object) -> bool:
    return run is None or (isinstance(run, str) and "\x00" not in run)


def _check(index: int, line: str, lane: str) -> NewItem | dict[str, Any]:
    """A line as an item ready to be written, or why it can't be."""
    try:
        item = orjson.loads(line)
        receipt, key = UUID(str(item["id"])), item["key"]
    except (ValueError, TypeError, KeyError) as error:
        return {"index": index, "key": None, "why": f"not an item with `id`, `key` and `params`: {error!r}"}
    params = orjson.dumps(item.get("params"))
    faults = item_faults(item, lane=lane, size=len(params), policy=process.policy())
    if faults:
        return {"index": index, "key": str(key)[:512], "why": "; ".join(faults)}
    rules = settings().lanes[lane]
    betas = list(item.get("betas") or [])
    asked = item.get("output") or _asked_schema(item["params"])
    output = None if asked is None else orjson.dumps(asked).decode()
    unusable = None if output is None else output_schema.fault(output)
    if unusable is not None:
        return {"index": index, "key": key, "why": unusable}
    callback = item.get("callback")
    return NewItem(
        index=index,
        receipt=receipt,
        key=key,
        key_hash=key_hash(key),
        content_hash=content_hash(item),
        headers_id=process.names().headers(rules.workspace, betas, rules.api_version),
        schema_id=None if output is None else process.names().output_schema(output),
        params=params.decode(),
        size=len(params),
        tenant=item.get("tenant"),
        trace_id=item.get("trace_id"),
        callback=None if callback is None else orjson.dumps(callback).decode(),
    )


def _asked_schema(params: dict[str, Any]) -> dict[str, Any] | None:
    """The schema that the request itself asks its answer to fit."""
    output_config = params.get("output_config")
    asked = output_config.get("format") if isinstance(output_config, dict) else None
    if isinstance(asked, dict) and asked.get("type") == "json_schema" and isinstance(asked.get("schema"), dict):
        schema: dict[str, Any] = asked["schema"]
        return schema
    return None
