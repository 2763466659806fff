"""What was asked of a catalog's rows that its memory doesn't know of: tried, compared, or by a run that was stopped.

A run takes such an answer for nothing where it would ask just the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from overnight_models.ledger.catalogs import answers, runs
from overnight_models.ledger.catalogs.answers import Verdict
from overnight_models.wire.outcome import Problem
from overnight_workers import process
from overnight_workers.catalogs import trying
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.memory import Came, Learned
from overnight_workers.catalogs.rows import read_item_key
from overnight_workers.catalogs.runs.publishing import USELESS
from overnight_workers.catalogs.runs.taken import AT_ONCE, Wish

_RUNS: Final = 100
"""So many runs back: whoever stops that many has no use for the answers of the first."""


def asked_before(catalog: Catalog, valid: Collection[tuple[bytes, bytes]]) -> Learned:
    """Hashes of rows, and half the hash of what was sent: OK where a run takes what came, FAILED where it asks again.

    valid: those whose answer was of no use, and is by now.
    """
    learned = Learned()
    of_runs: tuple[Problem, ...] = (Problem.REFUSED, *USELESS)  # a run takes these as they are
    looked_at = [(name, of_runs) for name in _stopped(catalog)]
    # what was only tried, and has no useful answer, is asked again
    looked_at += [(name, (Problem.REFUSED,)) for name in (trying.run_name(catalog), trying.compared_run_name(catalog))]
    for run, taken in looked_at:
        for verdict in _verdicts(run):
            if not verdict.key.startswith("catalog/"):
                continue  # a judge's question
            entry, _, sent = read_item_key(verdict.key)
            is_taken = verdict.ok is not False or verdict.problem in taken or (entry, sent) in valid
            learned.add(entry, sent, Came.OK if is_taken else Came.FAILED)
    return learned


def _stopped(catalog: Catalog) -> list[str]:
    """Runs that published nothing since the last one that looked at all rows."""
    with process.database().transaction() as connection:
        known = runs.runs(connection, catalog=catalog.name, limit=_RUNS)
    names = []
    for run in sorted(known, key=lambda run: -run.number):
        if run.state not in ("complete", "partial"):
            names.append(run.name)
        elif not (wish := Wish.read(run.wish)).retry_failed and wish.limit is None and wish.where is None:
            break
    return names


def _verdicts(run: str) -> Iterator[Verdict]:
    after = 0
    while True:
        with process.database().transaction() as connection:
            page = answers.verdicts(connection, run, after=after, limit=AT_ONCE)
        if not page:
            return
        after = page[-1].id
        yield from page
