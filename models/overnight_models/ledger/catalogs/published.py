"""What a sink takes of a run: each row's answer, page by page, and nothing else of its item."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from overnight_models.ledger.bodies import answers
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.copying import fetch_binary
from overnight_models.ledger.run_items import ORDER, items_of

_PAGE_ROWS: Final = 4_000
_PAGE_BYTES: Final = 4_000_000
"""Of answers in one page."""


@dataclass(slots=True)
class Answer:
    """What came of one row. Money is nano-dollars."""

    id: int
    """The item's."""
    key: str
    """The item's."""
    cells: str | None
    """JSON: the cells of the row's key."""
    ok: bool | None
    """Never null: it has come back."""
    problem: str | None
    detail: str | None
    retryable: bool | None
    message: str | bytes | None
    """The API's message, as JSON."""
    body_group: int | None
    """Where the message lies, until it is read."""
    body_place: int | None
    model: str | None
    """The model that answered."""
    cost_nano: int | None
    """Of all its tries; None where one has no price."""
    finished_at: datetime | None
    unreadable: str | None = field(default=None, kw_only=True)
    """Why its answer can't be read any more."""
    without_key: bool = field(default=False, kw_only=True)
    """Never true: `page` raises then."""


def page(
    connection: Connection, run: str, *, only_problems: bool, after: int, limit: int = _PAGE_ROWS
) -> tuple[list[Answer], int | None]:
    """The next rows of a run that have come back, and where the page after it begins.

    after: where the page before it ended; 0 at first. None follows the last page.
    limit: so many at most, and about 4 MB of answers.

    Raises NoKey while an encryption key isn't there: what is paid for isn't published as failed.
    """
    rows = fetch_binary(
        connection,
        Answer,
        f"""
        SELECT id, key, trace_id AS cells, ok, problem, detail, retryable, message, body_group, body_place, model,
               cost_nano, finished_at
        FROM (
            -- what lies before a row in its page: nothing before the first, which always fits
            SELECT *, sum(size) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
            FROM (
                SELECT item.id, request.key, request.trace_id, ok, problem, detail, retryable, outcome.message,
                       outcome.body_group, outcome.body_place, outcome.model, outcome.finished_at,
                       outcome.cost_nano + CASE WHEN redo.item_id IS NULL THEN 0 ELSE redo.cost_before_nano END
                       AS cost_nano,
                       coalesce(outcome.body_size, octet_length(outcome.message), 0) AS size
                FROM {items_of("= (SELECT id FROM run WHERE name = %s)", first="%s")}
                JOIN request ON request.item_id = item.id JOIN whole_outcome AS outcome ON outcome.item_id = item.id
                LEFT JOIN redo ON redo.item_id = item.id
                WHERE item.id > %s AND item.state <> 'redone'
                  {"AND outcome.problem IS NOT NULL" if only_problems else ""}
                ORDER BY {ORDER} LIMIT %s
            ) AS each_row
        ) AS measured
        WHERE bytes_before IS NULL OR bytes_before < %s ORDER BY id
        """,
        [run, after, run, after, limit, _PAGE_BYTES],  # whose items they are is asked of blocks and of each
    )
    answers.show_all(connection, rows)
    return rows, rows[-1].id if rows else None
