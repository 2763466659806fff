"""Redoing: what failed or was canceled is tried again, as a new item that has the receipt and the key of the old one.

The old item's outcome, bill and delivery stay as they are, and what may still come of it can't be taken for an answer
of the new one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from overnight_models.ledger.answer import key_hash
from overnight_models.ledger.bodies.encryption import MARK, keys_of, writing_keys
from overnight_models.ledger.bodies.requests import own_text, read_requests
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.partitions import PARTITION_ITEMS
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_one
from overnight_models.request.worst_case import holds_no_text
from overnight_models.states import ITEM

NO_BODY: Final = "null"
"""What stands in `request.params` when a request isn't kept any more."""


class _Key(NamedTuple):
    """An item's key."""

    lane_id: int
    id: int
    key: str


class _Standing(NamedTuple):
    """Where an item stands."""

    state: str
    number: int | None
    """How often its receipt was tried again; None: never."""
    of_item_id: int | None
    """The item that it follows."""


class Content(NamedTuple):
    """What a new item asks in place of what the old one asked."""

    params: str
    """JSON; what goes on from the same prefix."""
    size: int
    """Bytes of the whole request."""
    max_tokens: int | None = None
    """The most that its answer may have now; None: as before."""
    model_id: int | None = None
    """The stronger model that is asked now; None: the same."""
    model_why: str | None = None
    shape_id: int | None = None
    """Of a request to a stronger model, where such are checked before they are sent."""


def lock(connection: Connection, item_ids: Sequence[int]) -> list[int]:
    """Those of the items that can be tried again: nobody else redoes them until the transaction ends.

    One that got another item's outcome isn't tried again by itself: that other one is.
    """
    ids = fetch_column(
        connection,
        int,
        f"SELECT id FROM item WHERE id = ANY(:ids) AND {ITEM.redo.where} ORDER BY id FOR UPDATE",
        ids=list(item_ids),
    )
    following = fetch_column(connection, int, "SELECT item_id FROM follower WHERE item_id = ANY(:ids)", ids=ids)
    return [item_id for item_id in ids if item_id not in following]


def replace(
    connection: Connection,
    successors: Mapping[int, int],
    *,
    by_itself: bool = False,
    escalated: Collection[int] = (),
    hashes: Mapping[int, bytes] | None = None,
) -> None:
    """New items take the places of old ones, which are locked: by old id, the new. The caller writes their rows.

    by_itself: nobody asked for it; it is counted, for `retry_invalid`.
    escalated: of these, the old ones that go to a stronger model.
    hashes: by old id, its key's hash, where the caller knows it: the key of one that was purged stands nowhere.
    """
    old, new = list(successors), list(successors.values())
    moved = execute(connection, f"UPDATE item SET {ITEM.redo.set} WHERE id = ANY(:ids) AND {ITEM.redo.where}", ids=old)
    assert moved == len(old), "they are locked"
    execute(
        connection,
        """
        INSERT INTO redo (item_id, of_item_id, number, asked_again, escalated, attempts_before, cost_before_nano)
        SELECT successor.new, successor.old, coalesce(redo.number, 0) + 1,
               CASE WHEN :by_itself THEN coalesce(redo.asked_again, 0) + 1 ELSE 0 END,
               :by_itself AND (coalesce(redo.escalated, false) OR successor.old = ANY(CAST(:escalated AS bigint[]))),
               coalesce(redo.attempts_before, 0) + item.attempts,
               CASE WHEN redo.item_id IS NULL THEN 0 ELSE redo.cost_before_nano END
               + CASE WHEN outcome.item_id IS NULL THEN 0 ELSE outcome.cost_nano END
        FROM unnest(CAST(:old AS bigint[]), CAST(:new AS bigint[])) AS successor (old, new)
        JOIN item ON item.id = successor.old
        LEFT JOIN redo ON redo.item_id = successor.old LEFT JOIN outcome ON outcome.item_id = successor.old
        """,
        old=old,
        new=new,
        by_itself=by_itself,
        escalated=list(escalated),
    )
    _pass_on(connection, successors, hashes or {})


def _pass_on(connection: Connection, successors: Mapping[int, int], hashes: Mapping[int, bytes]) -> None:
    """Keys and followers go from old items to new ones."""
    old, new = list(successors), list(successors.values())
    keys = fetch_all(
        connection,
        _Key,
        "SELECT item.lane_id, item.id, request.key FROM item JOIN request ON request.item_id = item.id"
        " WHERE item.id = ANY(:old)",
        old=old,
    )
    execute(
        connection,
        """
        UPDATE item_key SET item_id = successor.new
        FROM unnest(CAST(:lanes AS integer[]), CAST(:hashes AS bytea[]), CAST(:new AS bigint[]))
             AS successor (lane_id, key_hash, new)
        WHERE item_key.lane_id = successor.lane_id AND item_key.key_hash = successor.key_hash
        """,
        lanes=[row.lane_id for row in keys],
        hashes=[hashes.get(row.id) or key_hash(row.key) for row in keys],
        new=[successors[row.id] for row in keys],
    )
    execute(
        connection,
        """
        UPDATE follower SET of_item_id = successor.new
        FROM unnest(CAST(:old AS bigint[]), CAST(:new AS bigint[])) AS successor (old, new)
        WHERE of_item_id = successor.old
          AND EXISTS (SELECT FROM item WHERE item.id = follower.item_id AND item.state = 'following')
        """,
        old=old,
        new=new,
    )


def redo(
    connection: Connection,
    item_ids: Sequence[int],
    *,
    contents: Mapping[int, Content] | None = None,
    by_itself: bool = False,
) -> dict[int, int]:
    """Try items again, with the content that they have or with another. Those that can't be are passed over.

    contents: by item, what to ask instead; their prefixes stay.

    Returns by old id the new.
    """
    contents = contents or {}
    locked = lock(connection, item_ids)
    # asked behind the lock: whoever purges holds it until the bodies are gone
    gone = _without_body(connection, [item_id for item_id in locked if item_id not in contents])
    old = [item_id for item_id in locked if item_id not in gone]
    if not old:
        return {}
    drawn = fetch_column(connection, int, "SELECT nextval('item_id') FROM generate_series(1, :n)", n=len(old))
    successors = dict(zip(old, drawn, strict=True))
    escalated = [item_id for item_id in old if item_id in contents and contents[item_id].model_id is not None]
    replace(connection, successors, by_itself=by_itself, escalated=escalated)
    _copy(connection, successors, contents)
    return successors


def _without_body(connection: Connection, item_ids: Sequence[int]) -> set[int]:
    """Those whose requests aren't kept any more: only with another content can they be tried again."""
    gone = "SELECT item_id FROM request WHERE item_id = ANY(:ids) AND params = :no_body"
    return set(fetch_column(connection, int, gone, ids=list(item_ids), no_body=NO_BODY))


def why_not(connection: Connection, item_id: int) -> str | None:
    """Why an item isn't tried again when somebody asks; None when that is happening already."""
    item = fetch_one(
        connection,
        _Standing,
        """
        SELECT item.state, redo.number, follower.of_item_id FROM item
        LEFT JOIN redo ON redo.item_id = item.id LEFT JOIN follower ON follower.item_id = item.id
        WHERE item.id = :id
        """,
        id=item_id,
    )
    if item is None:
        return "there is no such item"
    if item.of_item_id is not None:
        return "it got the outcome of another item: redo that one, by its key"
    if item.state == "succeeded":
        return "it has its answer: only what failed or was canceled is tried again"
    if item.number is None and _without_body(connection, [item_id]):
        return "its request isn't kept any more: enqueue it again"
    return None if item.number is not None else f"it isn't final yet ({item.state})"


def _encrypted(connection: Connection, item_ids: Sequence[int]) -> list[int]:
    """Those of the items whose requests are encrypted in their own rows."""
    keys = keys_of(connection)
    if keys is None or not keys.are_used:
        return []
    sealed = f"SELECT item_id FROM request WHERE item_id = ANY(:ids) AND params LIKE '{MARK}%'"
    return fetch_column(connection, int, sealed, ids=list(item_ids))


def _contents(
    connection: Connection, successors: Mapping[int, int], contents: Mapping[int, Content]
) -> tuple[dict[int, str], dict[int, bool]]:
    """What new items ask that isn't where the old ones have it, as it lies in their rows; and whether it has no bound.

    Both by the old items.
    """
    # a group is dropped with its partition
    afar = [o for o, n in successors.items() if o not in contents and o // PARTITION_ITEMS != n // PARTITION_ITEMS]
    # what is encrypted in an item's own row is bound to that item
    bound = _encrypted(connection, [old for old in successors if old not in contents and old not in afar])
    params = {old: text.decode() for old, text in read_requests(connection, [*afar, *bound]).texts.items()}
    params |= {old: content.params for old, content in contents.items()}
    keys = writing_keys(connection, list(params))
    unbounded = {old: holds_no_text(text.encode()) for old, text in params.items() if old in keys}
    params = {old: own_text(keys.get(old), successors[old], text.encode()).decode() for old, text in params.items()}
    return params, unbounded


_SUCCESSOR: Final = """
        unnest(CAST(:old AS bigint[]), CAST(:new AS bigint[]), CAST(:params AS text[]), CAST(:sizes AS integer[]),
               CAST(:most AS integer[]), CAST(:models AS integer[]), CAST(:shapes AS integer[]), CAST(:whys AS text[]),
               CAST(:unbounded AS boolean[]))
        AS successor (old, new, params, size, max_tokens, model_id, shape_id, model_why, unbounded)
"""


def _wishes(
    connection: Connection, successors: Mapping[int, int], contents: Mapping[int, Content]
) -> dict[str, Sequence[object]]:
    """What `_SUCCESSOR` is made of."""
    params, unbounded = _contents(connection, successors, contents)
    return {
        "old": list(successors),
        "new": list(successors.values()),
        "params": [params.get(old) for old in successors],
        "unbounded": [unbounded.get(old) for old in successors],
        "sizes": [contents[old].size if old in contents else None for old in successors],
        "most": [contents[old].max_tokens if old in contents else None for old in successors],
        "models": [contents[old].model_id if old in contents else None for old in successors],
        "shapes": [contents[old].shape_id if old in contents else None for old in successors],
        "whys": [contents[old].model_why if old in contents else None for old in successors],
    }


def _copy(connection: Connection, successors: Mapping[int, int], contents: Mapping[int, Content]) -> None:
    """Write the rows of new items after those of the old ones: they wait, as if they had just been accepted.

    Each takes the road that the old one took.
    """
    wishes = _wishes(connection, successors, contents)
    execute(
        connection,
        f"""
        INSERT INTO item (id, lane_id, headers_id, run_id, tenant_id, chain_id, model_id, schema_id, shape_id,
                          prefix_id, target_id, state, waiting_since, size, callback_size, max_tokens, deadline,
                          give_up_at, direct_at)
        SELECT successor.new, lane_id, headers_id, run_id, tenant_id, chain_id,
               coalesce(successor.model_id, item.model_id), schema_id,
               CASE WHEN successor.model_id IS NULL THEN item.shape_id ELSE successor.shape_id END, prefix_id,
               target_id, 'waiting', now(), coalesce(successor.size, item.size), callback_size,
               coalesce(successor.max_tokens, item.max_tokens),
               CASE WHEN deadline > now() THEN deadline END, CASE WHEN give_up_at > now() THEN give_up_at END,
               CASE WHEN outcome.via = 'direct' THEN now() END
        FROM {_SUCCESSOR} JOIN item ON item.id = successor.old LEFT JOIN outcome ON outcome.item_id = successor.old
        """,
        **wishes,
    )
    execute(
        connection,
        f"""
        INSERT INTO request (item_id, receipt, key, tenant, trace_id, callback, callback_id, params, body_group,
                             body_place, unbounded, cut_from_tokens, cut_to_tokens, model_why, traceparent, tracestate)
        SELECT successor.new, receipt, key, tenant, trace_id, callback, callback_id,
               coalesce(successor.params, request.params),
               CASE WHEN successor.params IS NULL THEN body_group END,
               CASE WHEN successor.params IS NULL THEN body_place END,
               CASE WHEN successor.params IS NULL THEN request.unbounded ELSE successor.unbounded END,
               cut_from_tokens, cut_to_tokens, coalesce(successor.model_why, request.model_why), traceparent, tracestate
        FROM {_SUCCESSOR} JOIN request ON request.item_id = successor.old
        """,
        **wishes,
    )
