"""Taking in a batch: from a body in a file to a row that survives the process."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
import zlib
from math import log10
from pathlib import Path

from overnight_workers.sandbox.batch import LIFETIME_US, Batch
from overnight_workers.sandbox.batches.bodies import forget
from overnight_workers.sandbox.batches.intake import Intake, take_in
from overnight_workers.sandbox.clock import SECOND, Clock
from overnight_workers.sandbox.draws import log_normal
from overnight_workers.sandbox.errors import Refusal
from overnight_workers.sandbox.faults.faults import Faults
from overnight_workers.sandbox.faults.marks import Mark
from overnight_workers.sandbox.meter import save_accepted
from overnight_workers.sandbox.options import Options
from overnight_workers.sandbox.store import Store

#: Spread of the turnaround (sigma of its logarithm), and how much ten times the requests add to it.
_SPREAD = 0.5
_PER_DECADE = 0.15
_COLUMNS = (
    "id, workspace, requests, version, betas, created_at, accepted_real_s, drawn_us, due_at, faults, seen_before,"
    " stranger, fate"
)
_MARKED = "INSERT INTO marked VALUES (?, 1) ON CONFLICT (params) DO UPDATE SET times = times + 1 RETURNING times"


class Desk:
    """Where batches are accepted."""

    def __init__(self, store: Store, clock: Clock, faults: Faults, options: Options) -> None:
        self._store = store
        self._clock = clock
        self._faults = faults
        self._options = options

    def incoming(self) -> Path:
        """A new file for a body that is on its way in."""
        return self._store.bodies / f"incoming-{secrets.token_hex(8)}.json"

    def accept(
        self,
        path: Path,
        workspace: str,
        version: str,
        betas: frozenset[str],
        *,
        stranger: bool = False,
        created_ago_s: float = 0.0,
    ) -> Batch:
        """Check the body at `path`, and make it a batch. The file is the batch's from then on.

        Raises Refusal, and removes the file, when the API would reject the create.
        """
        try:
            intake = take_in(path)
            if not stranger:
                self._check_queue(len(intake))
        except BaseException:
            forget(path)
            raise
        batch_id = "msgbatch_01" + secrets.token_hex(11)
        # The files first: a row without its body could not be served, a body without a row harms nobody.
        for suffix in (".json", ".index"):
            path.with_suffix(suffix).rename(self._store.bodies / f"{batch_id}{suffix}")
        faults = json.dumps([] if stranger else self._faults.for_items(workspace, len(intake)))
        created_at = self._clock.now() - round(created_ago_s * SECOND)
        with self._store.writing() as db:
            seen_before = json.dumps(_seen_before(db, intake))
            save_accepted(db, workspace, intake.hashes, len(intake), stranger=stranger)
            ordinal = db.execute("SELECT coalesce(max(ordinal), 0) + 1 FROM batch").fetchone()[0]
            fate = _fate(db, workspace)
            drawn_us = self._drawn_us(len(intake), fate)
            db.execute(
                f"INSERT INTO batch ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    batch_id,
                    workspace,
                    len(intake),
                    version,
                    json.dumps(sorted(betas)),
                    created_at,
                    time.time(),
                    drawn_us,
                    created_at + min(drawn_us, LIFETIME_US),
                    faults,
                    seen_before,
                    stranger,
                    fate,
                ),
            )
            row = db.execute("SELECT * FROM batch WHERE ordinal = ?", (ordinal,)).fetchone()
        return Batch.of(row)

    def seen_before(self, params_hash: int) -> int:
        """How often a marked request had come before this time, which is counted."""
        with self._store.writing() as db:
            return _times(db, params_hash)

    def _drawn_us(self, requests: int, fate: int) -> int:
        if self._options.instant:
            return 0
        median_s = self._options.turnaround_s * (1 + _PER_DECADE * log10(max(1, requests)))
        return round(log_normal(median_s, _SPREAD, self._options.seed, fate) * SECOND)

    def _check_queue(self, requests: int) -> None:
        queued = self._store.reader.execute(
            "SELECT coalesce(sum(requests), 0) FROM batch"
            " WHERE settled_real_s IS NULL AND due_at > ? AND stranger = 0 AND deleted = 0",
            (self._clock.now(),),
        ).fetchone()[0]
        if queued + requests > self._options.queue_limit:
            raise Refusal(
                429,
                f"This batch would exceed your organization's limit of {self._options.queue_limit} batch requests in"
                f" the processing queue ({queued} are in it).",
                retry_after=max(1, round(60 / self._clock.speed)),
            )


def _fate(db: sqlite3.Connection, workspace: str) -> int:
    """What a batch's chance is drawn with: it goes by the workspace, and by how many were accepted there."""
    counted = "SELECT creates + strangers FROM accepted WHERE workspace = ?"
    return zlib.crc32(workspace.encode(), db.execute(counted, (workspace,)).fetchone()[0])


def _seen_before(db: sqlite3.Connection, intake: Intake) -> dict[int, int]:
    limited: dict[int, Mark] = {at: mark for at, mark in intake.marks.items() if mark.times is not None}
    return {position: _times(db, intake.hashes[position]) for position in limited}


def _times(db: sqlite3.Connection, params_hash: int) -> int:
    return int(db.execute(_MARKED, (params_hash,)).fetchone()["times"]) - 1
