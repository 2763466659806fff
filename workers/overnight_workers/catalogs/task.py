"""The workers' part: schedules begin their runs, runs that nobody takes steps of go on, and late ones are noted.

Those that go on are scheduled ones, detached ones, and those whose process died.
"""

from __future__ import annotations

from overnight_models import routes
from overnight_models.errors import PermanentError, TransientError
from overnight_models.ledger.catalogs import runs as ledger
from overnight_workers import process
from overnight_workers.celery_worker.celery_app import app
from overnight_workers.stages import doorbell
from overnight_workers.telemetry import logs

_LONGEST_S = 6 * 3600
"""For one step, such as handing over all rows of a large table; taken again, it goes on where it was."""

log = logs.get(__name__)


@app.task(name=routes.CATALOGS, soft_time_limit=_LONGEST_S, time_limit=_LONGEST_S + 60)
def advance_runs(**_later: object) -> str:
    """Begin what is scheduled, and take steps of every run that nobody has, until it waits for answers or is over."""
    from overnight_workers.catalogs.report import sending
    from overnight_workers.catalogs.runs import lateness
    from overnight_workers.catalogs.schedules.starting import start_due

    doorbell.heard(routes.CATALOGS)
    try:
        start_due()
    except Exception:  # runs that are under way go on all the same; the next sweep asks again
        log.exception("what is scheduled can't be begun")
    sending.send_all()
    lateness.look()
    with process.database().transaction() as connection:
        run_ids = ledger.to_be_advanced(connection)
    said = [words for run_id in run_ids if (words := _advance(run_id)) is not None]
    return "; ".join(said) or "nothing to do"


def _advance(run_id: int) -> str | None:
    """Take steps of one run; None when somebody else has it. What fails is tried again by the next sweep."""
    from overnight_workers.catalogs.runs import advancing

    try:
        taken = advancing.take(run_id, advancing.own_name("a worker"))
    except PermanentError as error:
        log.error("a run can't be taken here", run_id=run_id, error=str(error))
        return f"run {run_id} waits"
    if taken is None:
        return None
    try:
        step = advancing.advance(taken)
        while not (step.is_over or step.wait_s or step.asks):
            log.info("a run of a catalog", run=taken.run.name, step=step.said)
            step = advancing.advance(taken)
    except TransientError as error:
        log.warning("a run waits", run=taken.run.name, error=str(error))
        return f"{taken.run.name}: {error}"
    except Exception as error:  # of this run alone: the others go on
        log.exception("a run fails", run=taken.run.name)
        advancing.note_waits(taken, f"{type(error).__name__}: {error}".partition("\n")[0])
        return f"{taken.run.name} fails"
    finally:
        advancing.leave(taken)
    return f"{taken.run.name}: {step.said}"
