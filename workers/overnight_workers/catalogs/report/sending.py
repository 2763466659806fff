"""The report goes to the callback that a catalog names: an ordinary Celery message, sent until its broker has it."""

from __future__ import annotations

import tomllib

import orjson
from pydantic import ValidationError

from overnight_models.crash_points import reach
from overnight_models.errors import TransientError
from overnight_models.ledger.bodies.encryption import NoKey
from overnight_models.ledger.catalogs import reports as ledger
from overnight_producers import task
from overnight_workers import process
from overnight_workers.catalogs.declaration import Catalog, DeclaredReport
from overnight_workers.stages.deliver.brokers import broker
from overnight_workers.stages.deliver.callbacks import Call
from overnight_workers.telemetry import logs

log = logs.get(__name__)


def callback_of(catalog: Catalog) -> str | None:
    """The task that gets a catalog's reports, as JSON; None when it names none."""
    return None if catalog.report is None else _dumped(catalog.report)


def callback_in(declaration: str) -> str | None:
    """The same of a declaration's text, of which the rest can't be used; None also where that of it can't be read."""
    try:
        given = tomllib.loads(declaration).get("report")
        return None if given is None else _dumped(DeclaredReport.model_validate(given))
    except (tomllib.TOMLDecodeError, ValidationError):
        return None


def _dumped(wanted: DeclaredReport) -> str:
    return orjson.dumps(task(wanted.task, queue=wanted.queue, broker=wanted.broker)).decode()


def send_all() -> int:
    """Send the reports that their callbacks haven't got. Returns how many."""
    with process.database().transaction() as connection:
        run_ids = ledger.unsent(connection)
    return sum(send(run_id) for run_id in run_ids)


def send(run_id: int) -> bool:
    """Send the report of a run; the same task id each time. False when it was sent, or its broker or key is away.

    Killed in between, it is sent again: twice is possible, never is not.
    """
    with process.database().transaction() as connection:
        try:
            waiting = ledger.lock_unsent(connection, run_id)
        except NoKey as error:  # the other reports don't wait for it
            log.warning("a report waits for its encryption key", run_id=run_id, error=str(error))
            return False
        if waiting is None:
            return False
        callback = orjson.loads(waiting.callback)
        try:
            reach("before the report is sent")
            broker(callback.get("broker") or "").publish_call(callback["queue"], _call(waiting, callback))
            reach("after the report is sent")
        except TransientError as error:
            log.warning("a report waits for its broker", run=waiting.name, error=str(error))
            return False
        ledger.note_sent(connection, run_id)
        return True


def _call(waiting: ledger.UnsentReport, callback: dict[str, object]) -> Call:
    return Call(
        task=str(callback["task"]),
        task_id=f"report-{waiting.name}",
        outcome=orjson.loads(waiting.document),
        others=(),
        kwargs={},
        headers={},
        shown=f"(report of {waiting.name!r},)",
    )
