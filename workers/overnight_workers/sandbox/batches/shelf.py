"""Finding, listing, canceling and deleting batches: each workspace sees its own."""

from __future__ import annotations

import time
from collections.abc import Sequence

from overnight_workers.sandbox.batch import Batch
from overnight_workers.sandbox.batches.bodies import forget
from overnight_workers.sandbox.batches.settling import Settler
from overnight_workers.sandbox.clock import HOUR, SECOND, Clock
from overnight_workers.sandbox.errors import Refusal
from overnight_workers.sandbox.faults.faults import Rule
from overnight_workers.sandbox.store import Store

_NEWER_THAN = "(created_at, ordinal) > (SELECT created_at, ordinal FROM batch WHERE id = :cursor)"
_OLDER_THAN = "(created_at, ordinal) < (SELECT created_at, ordinal FROM batch WHERE id = :cursor)"
#: A list waits this long for batches that are due; what isn't settled by then still shows as in progress.
_LIST_WAITS_S = 1.0


class Shelf:
    """All batches of all workspaces."""

    def __init__(self, store: Store, clock: Clock, settler: Settler) -> None:
        self._store = store
        self._clock = clock
        self._settler = settler

    def find(self, batch_id: str, workspace: str, hidden_by: Sequence[Rule] = ()) -> Batch:
        """One batch, settled if it is due. Raises a 404 when this workspace hasn't got it."""
        batch = self._row(batch_id, workspace)
        if not batch.ended and batch.due_at <= self._clock.now():
            self._settler.settle_due(only=batch_id)
            batch = self._row(batch_id, workspace)
        age_s = time.time() - batch.accepted_real_s
        if any(rule.hides(age_s, batch.fate) for rule in hidden_by):
            raise _not_found(batch_id)
        return batch

    def _row(self, batch_id: str, workspace: str) -> Batch:
        row = self._store.reader.execute(
            "SELECT * FROM batch WHERE id = ? AND workspace = ? AND deleted = 0", (batch_id, workspace)
        ).fetchone()
        if row is None:
            raise _not_found(batch_id)
        return Batch.of(row)

    def page(
        self,
        workspace: str,
        *,
        limit: int,
        after: str | None = None,
        before: str | None = None,
        hidden_by: Sequence[Rule] = (),
    ) -> tuple[list[Batch], bool]:
        """One page, newest first, and whether there are more in the direction of paging."""
        self._settler.settle_due(within_s=_LIST_WAITS_S)
        where, order = "", "DESC"
        if after is not None:
            where = f" AND {_OLDER_THAN}"
        elif before is not None:
            # The page just above the cursor: read upwards from it, then turned round.
            where, order = f" AND {_NEWER_THAN}", "ASC"
        cursor = after or before
        if cursor is not None:
            self._row(cursor, workspace)
        rows = self._store.reader.execute(
            f"SELECT * FROM batch WHERE workspace = :workspace AND deleted = 0{where}"
            f" ORDER BY created_at {order}, ordinal {order}",
            {"workspace": workspace, "cursor": cursor},
        )
        now = time.time()
        batches: list[Batch] = []
        for row in rows:
            hidden = any(rule.hides(now - row["accepted_real_s"], row["fate"]) for rule in hidden_by)
            if hidden:
                continue
            if len(batches) == limit:
                rows.close()
                break
            batches.append(Batch.of(row))
        else:
            return (batches[::-1] if order == "ASC" else batches), False
        return (batches[::-1] if order == "ASC" else batches), True

    def cancel(self, batch_id: str, workspace: str) -> Batch:
        """Begin to cancel. Asked twice, it stays as it was; a batch that has ended can't be canceled."""
        batch = self.find(batch_id, workspace)
        if batch.ended:
            raise Refusal(400, f"Batch {batch_id} cannot be canceled because it has already ended.")
        if batch.cancel_at is None:
            now = self._clock.now()
            # What is under way is finished first: a little while, never longer than it would have taken.
            wind_down = min(60 * SECOND, max(0, batch.drawn_us // 20), HOUR)
            with self._store.writing() as db:
                db.execute(
                    "UPDATE batch SET cancel_at = ?, due_at = min(due_at, ?)"
                    " WHERE id = ? AND cancel_at IS NULL AND settled_real_s IS NULL",
                    (now, now + wind_down, batch_id),
                )
            batch = self._row(batch_id, workspace)
        return batch

    def delete(self, batch_id: str, workspace: str) -> None:
        """Delete a batch that has ended, with its results."""
        batch = self.find(batch_id, workspace)
        if not batch.ended:
            raise Refusal(
                400, f"Batch {batch_id} cannot be deleted while it is {batch.status}; cancel it and wait until it ends."
            )
        with self._store.writing() as db:
            db.execute("UPDATE batch SET deleted = 1 WHERE id = ?", (batch_id,))
        forget(self._store.body_path(batch_id))

    def ended_for_s(self, batch: Batch) -> float:
        """For how long a batch has been seen as ended, in real time."""
        return time.time() - (batch.settled_real_s or time.time())

    def everything(self, base_url: str, limit: int) -> list[dict[str, object]]:
        """All batches of all workspaces, newest first, deleted ones included: for tests, not in the API."""
        self._settler.settle_due(within_s=_LIST_WAITS_S)
        now = self._clock.now()
        rows = self._store.reader.execute(
            "SELECT * FROM batch ORDER BY created_at DESC, ordinal DESC LIMIT ?", (limit,)
        ).fetchall()
        return [
            {
                **Batch.of(row).shown(base_url, now),
                "workspace": row["workspace"],
                "stranger": bool(row["stranger"]),
                "deleted": bool(row["deleted"]),
            }
            for row in rows
        ]


def _not_found(batch_id: str) -> Refusal:
    return Refusal(404, f"Message batch {batch_id} not found")
