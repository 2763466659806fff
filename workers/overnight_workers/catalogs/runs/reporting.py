"""The report of any run: the one that it left, or of what has come so far."""

from __future__ import annotations

from pathlib import Path

import orjson

from overnight_models.errors import PermanentError
from overnight_models.ledger.catalogs.runs import Run
from overnight_workers.catalogs.reading import parse_catalog
from overnight_workers.catalogs.report import document
from overnight_workers.catalogs.report.document import Ending
from overnight_workers.catalogs.runs.pilot import verdicts_of


def report_of(run: Run) -> dict[str, object]:
    """The report of a run as JSON: without what only its declaration says, where that can't be used any more."""
    kept = document.kept(run)
    if kept is not None:
        return kept
    try:
        catalog = parse_catalog(run.declaration, Path(run.path))
    except PermanentError:
        catalog = None
    counts = orjson.loads(run.counts) | verdicts_of(run.name, run.id).document()
    return document.made(catalog, run, Ending(run.state, run.reason, counts))
