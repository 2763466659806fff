"""Purging, group by group: what goes, what stays and why, is judged when the rows are locked, in one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from overnight_models.ledger import cancel
from overnight_models.ledger.answer import key_hash
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.hand_overs import IN_A_HAND_OVER
from overnight_models.ledger.operators.purge import api_batches, catalogs, texts
from overnight_models.ledger.operators.purge.wanted import Purge
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_pairs
from overnight_models.states import ITEM

_FINAL: Final = ", ".join(f"'{state}'" for state in sorted(ITEM.final))
_FOLLOWED: Final = """
    EXISTS (SELECT FROM follower JOIN item AS other ON other.id = follower.item_id
            WHERE follower.of_item_id = item.id AND other.state = 'following')
"""
_UNSENT: Final = f"(item.{ITEM.cancel.where} OR item.{ITEM.unpack.where} AND batch.state = 'packed')"
_AT_THE_API: Final = "item.state = 'batched' AND batch.state IN ('open', 'canceling', 'ended', 'incomplete')"
_FATE: Final = f"""
    CASE WHEN item.purged THEN 'purged'
         WHEN {_FOLLOWED} THEN 'followed'
         WHEN {catalogs.IN_A_RUN} THEN 'in a run'
         WHEN delivery.state = 'sending' OR {IN_A_HAND_OVER} THEN 'being delivered'
         WHEN delivery.state IN ('due', 'awaiting_ack') THEN 'undelivered'
         WHEN item.state IN ({_FINAL}) THEN 'final'
         WHEN {_UNSENT} THEN 'unsent'
         WHEN {_AT_THE_API} THEN 'at the API'
         ELSE 'being sent' END
"""
"""Where an item stands for whoever wants it to be purged."""
_BESIDE: Final = "LEFT JOIN batch ON batch.id = item.batch_id LEFT JOIN delivery ON delivery.item_id = item.id"

GOES: Final = frozenset({"final"})
"""What goes without a word more."""
GOES_CANCELED: Final = frozenset({"undelivered", "unsent", "at the API"})
"""What goes where it may be canceled for that."""


def goes(purge: Purge) -> frozenset[str]:
    """Of which fates items go."""
    return GOES | GOES_CANCELED if purge.cancel else GOES


def prospect(connection: Connection, purge: Purge) -> dict[str, int]:
    """How many items there are of each fate."""
    wanted = purge.items
    return fetch_pairs(
        connection,
        str,
        int,
        f"""
        SELECT {_FATE} AS fate, count(*) FROM item {_BESIDE}
        WHERE item.id IN (SELECT item.id FROM {wanted.source} WHERE {wanted.where}) GROUP BY fate
        """,
        **wanted.values,
    )


class Group(NamedTuple):
    """What purging one group did."""

    purged: int
    last: int
    """Its last item; 0 when there is no more."""
    removed: Mapping[str, int]
    """By kind."""
    prefixes: Sequence[int]
    """Prefixes that purged items went on from, and chains that they were of: others may have them too."""
    chains: Sequence[int]


class _Named(NamedTuple):
    """An item with its lane and key."""

    id: int
    lane_id: int
    key: str


def purge_group(connection: Connection, purge: Purge, *, after: int, until: int, limit: int) -> Group:
    """Purge one group, in the order of items: all that is kept of an item that may go, or nothing.

    after: the item that the group before ended with; 0 at first.
    until: the newest item of when the wish was uttered.
    """
    wanted = purge.items
    ids = fetch_column(
        connection,
        int,
        f"""
        SELECT item.id FROM {wanted.source_between(":after", ":until")}
        WHERE {wanted.where} AND NOT item.purged AND item.id > :after AND item.id <= :until
        ORDER BY {wanted.order()} LIMIT :limit
        """,
        after=after,
        until=until,
        limit=limit,
        **wanted.values,
    )
    if not ids:
        return Group(0, 0, {}, (), ())
    texts.keep_retention_away(connection)
    going = _lock(connection, purge, ids)
    removed = _forget(connection, purge, going)
    prefixes, chains = texts.mark(connection, going)
    removed["batches to delete"] = api_batches.want_deleted(connection, going, shared=purge.shared_batches)
    return Group(len(going), ids[-1], {kind: n for kind, n in removed.items() if n}, prefixes, chains)


def _lock(connection: Connection, purge: Purge, ids: Sequence[int]) -> list[int]:
    """Those of the items that go. Nobody moves them, or their deliveries, until the transaction ends."""
    texts.lock_batches(connection, ids)
    if purge.cancel:
        cancel.take_back(connection, ids)  # batches, then items: they are locked in the order of everybody
    else:
        execute(connection, "SELECT FROM item WHERE id = ANY(:ids) ORDER BY id FOR UPDATE", ids=list(ids))
    # what is in a hand-over gets no rows meanwhile, and then rows that are there stay where they are
    execute(connection, "SELECT FROM hand_over WHERE item_ids && CAST(:ids AS bigint[]) FOR UPDATE", ids=list(ids))
    execute(connection, "SELECT FROM delivery WHERE item_id = ANY(:ids) ORDER BY item_id FOR UPDATE", ids=list(ids))
    fates = fetch_pairs(
        connection, int, str, f"SELECT item.id, {_FATE} FROM item {_BESIDE} WHERE item.id = ANY(:ids)", ids=list(ids)
    )
    may_go = goes(purge)
    return [item_id for item_id in ids if fates[item_id] in may_go]


def _forget(connection: Connection, purge: Purge, ids: Sequence[int]) -> dict[str, int]:
    """Remove what is kept of items; by kind, how many of it there were."""
    removed: dict[str, int] = {}
    if purge.keys:
        named = fetch_all(
            connection,
            _Named,
            "SELECT item.id, item.lane_id, request.key FROM item JOIN request ON request.item_id = item.id"
            " WHERE item.id = ANY(:ids)",
            ids=list(ids),
        )
        hashes = {row.id: (row.lane_id, key_hash(row.key)) for row in named}
        removed["keys"] = texts.forget_keys(connection, hashes)
        removed["catalog rows"] = catalogs.forget_rows(connection, [row.key for row in named])
    removed["catalog reports"] = catalogs.forget_examples(connection, ids)
    texts.forget_errors(connection, ids)
    removed["requests"] = texts.forget_requests(connection, ids)
    removed["answers"] = texts.forget_answers(connection, ids)
    removed["deliveries"] = texts.forget_deliveries(connection, ids)
    return removed
