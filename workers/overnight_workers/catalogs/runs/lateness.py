"""Whether runs will miss their `finish_by`: looked at by the sweep, and kept in the run's row for the alarm."""

from __future__ import annotations

from typing import Final

from overnight_models.ledger.catalogs import late_runs, runs
from overnight_workers import process
from overnight_workers.catalogs.runs.forecast import why_late
from overnight_workers.telemetry import logs

_MOST_RUNS: Final = 20
"""At once; the others' turn is next."""

log = logs.get(__name__)


def look() -> None:
    """Look at every run that must be done by a time, each once a minute, whoever looks."""
    with process.database().transaction() as connection:
        run_ids = late_runs.unlooked(connection, limit=_MOST_RUNS)
    for run_id in run_ids:
        try:
            _look_at(run_id)
        except Exception:  # of this run alone: the others are looked at, and this one again in a minute
            log.exception("whether a run will be done in time can't be said", run_id=run_id)


def _look_at(run_id: int) -> None:
    # committed at once: a look that fails or takes long isn't taken by each sweep
    with process.database().transaction() as connection:
        is_ours = late_runs.take_look(connection, run_id)
    if is_ours:
        with process.database().transaction() as connection:
            run = runs.read(connection, run_id)
            late_runs.note(connection, run_id, None if run is None else why_late(connection, run))
