"""Measuring: items whose prompts may be longer than their lane takes wait until the API has counted them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from overnight_models.ledger import prefixes
from overnight_models.ledger.bodies.encryption import writing_keys
from overnight_models.ledger.bodies.requests import hold, own_text
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.presence import is_gone
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fitting
from overnight_models.ledger.workspaces import SENDABLE
from overnight_models.request.prefix import Prefix

UNMEASURED: Final = "EXISTS (SELECT FROM unmeasured WHERE unmeasured.item_id = item.id)"
"""Of an item: it may be too long, and nobody has counted it yet."""

IS_DUE: Final = "(unmeasured.not_before IS NULL OR unmeasured.not_before <= now())"
NOBODY_MEASURES: Final = f"""
    NOT EXISTS (SELECT FROM unmeasured taken WHERE taken.lease_until > now() AND NOT {is_gone("taken.owner")})
"""
"""One process at a time, since the account's rate is one for all of them."""


@dataclass(frozen=True)
class Unmeasured:
    """An item to be counted."""

    item_id: int
    lane: str
    workspace: str
    betas: str
    api_version: str
    cuttable: str | None
    """The place of the text that may be cut."""
    chooses: bool
    """Its size is near a limit of its lane's models: the count says which it is."""
    headers_id: int
    tries: int
    """Calls about it that got no answer."""
    prefix: Prefix | None
    own: bytes
    """Its request without its prefix; JSON."""

    @property
    def whole(self) -> bytes:
        """Its request; JSON."""
        return self.own if self.prefix is None else self.prefix.splice(self.own)


@dataclass(frozen=True)
class Shortened:
    """An item whose text was cut until its prompt fitted."""

    item_id: int
    own: bytes
    """What is sent from now on; JSON."""
    keeps_prefix: bool
    size: int
    """Bytes of the whole request."""
    from_tokens: int
    to_tokens: int


class Wanted(NamedTuple):
    """An item that is to be counted."""

    item_id: int
    cuttable: str | None
    """The place of the text that may be cut."""
    chooses: bool
    """Its model is chosen by the count."""


def want(connection: Connection, items: Sequence[Wanted]) -> None:
    """New items that are to be counted before they are packed."""
    if items:
        execute(
            connection,
            """
            INSERT INTO unmeasured (item_id, cuttable, chooses)
            SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:places AS text[]), CAST(:choose AS boolean[]))
            """,
            ids=[item.item_id for item in items],
            places=[item.cuttable for item in items],
            choose=[item.chooses for item in items],
        )


class _Due(NamedTuple):
    """An item that may be counted, and its size."""

    item_id: int
    size: int


class _Claimed(NamedTuple):
    """An `Unmeasured` as the tables have it."""

    item_id: int
    lane: str
    workspace: str
    betas: str
    api_version: str
    cuttable: str | None
    chooses: bool
    headers_id: int
    tries: int
    prefix_id: int | None
    prefix: str | None


def silent_workspaces(connection: Connection) -> list[str]:
    """Workspaces with calls that got no answer of late."""
    return fetch_column(
        connection,
        str,
        """
        SELECT DISTINCT headers.workspace
        FROM unmeasured JOIN item ON item.id = unmeasured.item_id JOIN headers ON headers.id = item.headers_id
        WHERE unmeasured.not_before > now()
        """,
    )


def _lock_due(connection: Connection, limit: int, passed_over: Collection[str]) -> list[_Due]:
    """The oldest that may be counted, without those that another process has."""
    return fetch_all(
        connection,
        _Due,
        f"""
        SELECT unmeasured.item_id, item.size
        FROM unmeasured JOIN item ON item.id = unmeasured.item_id JOIN lane ON lane.id = item.lane_id
        JOIN headers ON headers.id = item.headers_id JOIN workspace ON workspace.name = headers.workspace
        WHERE {IS_DUE} AND item.state = 'waiting' AND lane.paused_at IS NULL AND {SENDABLE} AND {NOBODY_MEASURES}
          AND NOT headers.workspace = ANY(CAST(:passed_over AS text[]))
        ORDER BY unmeasured.item_id LIMIT :limit FOR UPDATE OF unmeasured SKIP LOCKED
        """,
        limit=limit,
        passed_over=list(passed_over),
    )


def claim(
    connection: Connection,
    *,
    owner: int,
    limit: int,
    max_bytes: int,
    lease_s: float,
    passed_over: Collection[str] = (),
) -> list[Unmeasured]:
    """Take the oldest that may be counted, unless another process is at it. What can't be read is held.

    passed_over: workspaces of which none is taken.
    """
    due = _lock_due(connection, limit, passed_over)
    taken = due[: fitting((item.size for item in due), max_bytes)]
    asked = prefixes.read_asked(connection, [item.item_id for item in taken])
    if asked.damaged:
        hold(connection, asked.damaged)
    if not asked.texts:
        return []
    claimed = fetch_all(
        connection,
        _Claimed,
        """
        WITH taken AS (
            UPDATE unmeasured SET owner = :owner, lease_until = now() + make_interval(secs => :lease_s)
            WHERE item_id = ANY(:ids) RETURNING item_id, cuttable, chooses, tries
        )
        SELECT taken.item_id, lane.name AS lane, headers.workspace, headers.betas, headers.api_version, cuttable,
               chooses, headers.id AS headers_id, tries, prefix.id AS prefix_id, prefix.document AS prefix
        FROM taken JOIN item ON item.id = taken.item_id JOIN lane ON lane.id = item.lane_id
        JOIN headers ON headers.id = item.headers_id
        LEFT JOIN prefix ON prefix.id = item.prefix_id
        ORDER BY taken.item_id
        """,
        ids=list(asked.texts),
        owner=owner,
        lease_s=lease_s,
    )
    return [
        Unmeasured(
            *item[:-2],
            prefix=None
            if item.prefix is None or item.prefix_id is None
            else Prefix(prefixes.whole(connection, item.prefix_id, item.prefix).encode()),
            own=asked.texts[item.item_id],
        )
        for item in claimed
    ]


def settle(connection: Connection, item_ids: Collection[int]) -> set[int]:
    """They are measured. Returns those that still wait, locked: of the others nothing may be changed any more.

    An item that isn't measured can't be sent, unless its lane's limit was taken away meanwhile.
    """
    waiting = fetch_column(
        connection,
        int,
        "SELECT id FROM item WHERE id = ANY(:ids) AND state = 'waiting' ORDER BY id FOR UPDATE",
        ids=list(item_ids),
    )
    unmeasured = fetch_column(
        connection, int, "DELETE FROM unmeasured WHERE item_id = ANY(:ids) RETURNING item_id", ids=list(item_ids)
    )
    return set(waiting) & set(unmeasured)


@dataclass(frozen=True)
class Chosen:
    """The model that an item's count has chosen."""

    item_id: int
    model_id: int
    shape_id: int | None
    why: str
    own: bytes
    """What is sent from now on; JSON."""
    size: int
    """Bytes of the whole request."""


def _own(connection: Connection, item_id: int, own: bytes) -> str:
    """A request as it lies in its own row."""
    return own_text(writing_keys(connection, [item_id]).get(item_id), item_id, own).decode()


def choose(connection: Connection, item: Chosen) -> None:
    """Its model from now on. In the transaction that has settled it, so never after a body was built."""
    execute(
        connection,
        "UPDATE request SET params = :own, model_why = :why WHERE item_id = :item_id",
        item_id=item.item_id,
        own=_own(connection, item.item_id, item.own),
        why=item.why,
    )
    execute(
        connection,
        """
        UPDATE item SET model_id = :model_id, size = :size,
               shape_id = CASE WHEN shape_id IS NOT NULL THEN CAST(:shape_id AS integer) END
        WHERE id = :item_id
        """,
        item_id=item.item_id,
        model_id=item.model_id,
        size=item.size,
        shape_id=item.shape_id,
    )


def shorten(connection: Connection, item: Shortened) -> None:
    """What is sent of it from now on. In the transaction that has settled it, so never after a body was built."""
    execute(
        connection,
        """
        UPDATE request SET params = :own, cut_from_tokens = :from_tokens, cut_to_tokens = :to_tokens
        WHERE item_id = :item_id
        """,
        item_id=item.item_id,
        own=_own(connection, item.item_id, item.own),
        from_tokens=item.from_tokens,
        to_tokens=item.to_tokens,
    )
    execute(
        connection,
        """
        UPDATE item SET size = :size, prefix_id = CASE WHEN :keeps_prefix THEN prefix_id END WHERE id = :item_id
        """,
        item_id=item.item_id,
        size=item.size,
        keeps_prefix=item.keeps_prefix,
    )


def release(connection: Connection, item_ids: Collection[int]) -> None:
    """They were claimed and not counted: somebody else may."""
    execute(connection, "UPDATE unmeasured SET lease_until = NULL WHERE item_id = ANY(:ids)", ids=list(item_ids))


def try_later(connection: Connection, item_id: int, *, pause_s: float) -> None:
    """The API gave no answer about this one; the others needn't wait for it."""
    execute(
        connection,
        """
        UPDATE unmeasured
        SET lease_until = NULL, tries = tries + 1, not_before = now() + make_interval(secs => :pause_s)
        WHERE item_id = :item_id
        """,
        item_id=item_id,
        pause_s=pause_s,
    )


def forget(connection: Connection) -> int:
    """Items that don't wait any more: taken back, or packed when their lane had no limit. Returns how many."""
    return execute(
        connection,
        """
        DELETE FROM unmeasured USING item
        WHERE item.id = unmeasured.item_id AND item.state NOT IN ('waiting', 'held')
        """,
    )
