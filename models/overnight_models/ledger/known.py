"""Known keys: an item whose key is there already is the same item, a conflict, a follower, or another try.

The same content with the same wishes (callback, run, tenant, trace id) is the same item. With other wishes it is a
conflict, unless it was enqueued with `if_known = "deliver"`: then it follows the item that is there. With `if_known =
"redo"` it takes the place of one that failed or was canceled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple
from uuid import UUID

from overnight_models import exact_json
from overnight_models.errors import TransientError
from overnight_models.ledger import following, prefixes, redo
from overnight_models.ledger.bodies.requests import callback_of
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.documents import CALLBACK
from overnight_models.ledger.new_item import NewItem
from overnight_models.ledger.prefixes import asked_request
from overnight_models.ledger.rows import execute, fetch_all, fetch_column
from overnight_models.wire.message import IF_KNOWN

CONFLICT, DELIVER, REDO = IF_KNOWN

WITH_ANOTHER: Final = "by the same request with another"
"""In what a conflict says where only the wishes differ."""
ENDED_WITHOUT_ANSWER: Final = "that ended without a useful answer"
"""In what it says where the content differs, and that of before failed or was canceled."""

_LOOKS: Final = 10
"""At keys whose items are replaced meanwhile, before it is left for the next try of the message."""


class KeysChange(TransientError):
    """Items are redone as fast as they are looked at. Nothing was done: try again."""


class Admission(NamedTuple):
    """What an item is."""

    word: Literal["new", "known", "conflicting"] = "new"
    why: str = ""
    """What conflicts, and what to do."""
    delivers: bool = False
    """Known, and the outcome goes to this one's callback too."""
    redoes: bool = False
    """New, in the place of one that failed or was canceled."""
    stands_for: str | None = None
    """The receipt of the follower that it is, where it isn't the item of its key."""


class Row(NamedTuple):
    """An item that is to be written."""

    item: NewItem
    id: int
    run_id: int | None
    state: Literal["waiting", "following"] = "waiting"


class _Wishes(NamedTuple):
    """What somebody wishes beside the content."""

    callback: str | None
    run_id: int | None
    tenant: str | None
    trace_id: str | None


class _There(NamedTuple):
    """A key that is there, and its item; of one that retention has dropped, all but the first three is None."""

    key_hash: bytes
    item_id: int
    content_hash: bytes
    state: str | None
    headers_id: int | None
    schema_id: int | None
    run_id: int | None
    tenant_id: int | None
    chain_id: int | None
    target_id: int | None
    receipt: UUID | None
    model_why: str | None
    tenant: str | None
    trace_id: str | None
    callback: str | None
    prefix_id: int | None
    prefix: str | None
    problem: str | None
    purged: bool | None
    """Its texts are gone; the same that comes again, such as a message that is handed over twice, isn't sent again."""

    @property
    def has_ended(self) -> bool:
        """Without a useful answer."""
        return self.state in ("failed", "canceled")

    @property
    def wishes(self) -> _Wishes | None:
        """None of one that was dropped."""
        return None if self.receipt is None else _Wishes(self.callback, self.run_id, self.tenant, self.trace_id)


class _Asked(NamedTuple):
    """What an item asks: its prefix's document, and its own part."""

    prefix: str | None
    own: str


class _Follower(NamedTuple):
    """An item that follows another."""

    of_item_id: int
    item_id: int
    receipt: UUID
    callback: str | None
    run_id: int | None
    tenant: str | None
    trace_id: str | None

    @property
    def wishes(self) -> _Wishes:
        return _Wishes(self.callback, self.run_id, self.tenant, self.trace_id)


class Judged(NamedTuple):
    """What items are whose keys are there already, and the rows that come of it."""

    admissions: list[Admission]
    rows: list[Row]
    leaders: list[int]
    """Items that rows follow."""
    redone: dict[int, int]
    """Items whose places rows have taken: by old id, the new."""


def judge(
    connection: Connection, lane: tuple[int, str], run_id: int | None, items: Sequence[NewItem], ids: Sequence[int]
) -> Judged:
    """What each of the items is. lane: its id and name. ids: what each may have as a row of its own."""
    lane_id, name = lane
    if any(item.if_known != CONFLICT for item in items):
        _lock(connection, lane_id, items)
    there = _there(connection, lane_id, items)
    followers = _followers(connection, [row.item_id for row in there.values()]) if there else {}
    texts = _differing(connection, items, there)
    judging = _Judging(connection, name, run_id, followers, texts, Judged([], [], [], {}), {})
    for item, item_id in zip(items, ids, strict=True):
        judging.judged.admissions.append(judging.admission(item, item_id, there[item.key_hash]))
    if successors := judging.successors:
        hashes = {old: item.key_hash for old, item in successors.items()}
        redo.replace(connection, judging.judged.redone, hashes=hashes)
        _point_to(connection, lane_id, list(successors.values()))
    return judging.judged


@dataclass(frozen=True)
class _Judging:
    """Items are judged one after the other: what an item becomes counts for those behind it."""

    connection: Connection
    lane: str
    run_id: int | None
    followers: dict[int, list[_Follower]]
    texts: Mapping[int, _Asked]
    judged: Judged
    successors: dict[int, NewItem]
    """By the id of the item that each redoes."""

    def admission(self, item: NewItem, item_id: int, row: _There) -> Admission:
        """What an item is beside the row that has its key."""
        if row.purged and bytes(row.content_hash) == item.content_hash:
            return Admission("known")
        if item.if_known == REDO and row.has_ended and row.item_id not in self.successors:
            self.successors[row.item_id] = item
            in_run = row.run_id if self.run_id is None else self.run_id
            self.judged.rows.append(Row(_successor(item, row), item_id, in_run))
            self.judged.redone[row.item_id] = item_id
            return Admission(redoes=True)
        if not _is_same(row, item, self.texts.get(row.item_id)):
            return Admission("conflicting", _other_content(item, self.lane, row))
        return self._of_same_content(item, item_id, row)

    def _of_same_content(self, item: NewItem, item_id: int, row: _There) -> Admission:
        """What it is by its wishes: those of the row, of somebody who follows it, or new ones."""
        wishes, delivers = _wishes(item, self.run_id), item.if_known == DELIVER
        others = _others(row.wishes, wishes)
        follower = _same_follower(self.followers.get(row.item_id, []), wishes) if others else None
        if not others or follower is not None:
            if delivers:
                following.send_again(self.connection, [row.item_id if follower is None else follower.item_id])
            return Admission("known", delivers=delivers, stands_for=None if follower is None else str(follower.receipt))
        if not delivers:
            return Admission("conflicting", _with_other_wishes(item, self.lane, others))
        self.judged.rows.append(Row(item, item_id, self.run_id, "following"))
        self.judged.leaders.append(row.item_id)
        # the next one may be the same wish again: messages are taken in groups
        following_it = self.followers.setdefault(row.item_id, [])
        following_it.append(_Follower(row.item_id, item_id, UUID(item.receipt), *wishes))
        return Admission("known", delivers=True)


def _lock(connection: Connection, lane_id: int, items: Sequence[NewItem]) -> None:
    """What is there stays what it is until the transaction ends: it neither ends unseen nor is redone by others.

    Items are locked, and not their keys: whoever redoes an item locks it first, and then moves its key.
    """
    hashes = [item.key_hash for item in items]
    locked: set[int] = set()
    for _ in range(_LOOKS):
        there = fetch_column(
            connection,
            int,
            "SELECT item_id FROM item_key WHERE lane_id = :lane_id AND key_hash = ANY(:hashes)",
            lane_id=lane_id,
            hashes=hashes,
        )
        if locked.issuperset(there):
            return
        new = set(there) - locked
        fetch_column(
            connection, int, "SELECT id FROM item WHERE id = ANY(:ids) ORDER BY id FOR UPDATE", ids=sorted(new)
        )
        locked |= new
    raise KeysChange("the items of these keys are redone again and again meanwhile")


def _there(connection: Connection, lane_id: int, items: Sequence[NewItem]) -> dict[bytes, _There]:
    rows = fetch_all(
        connection,
        _There,
        f"""
        SELECT item_key.key_hash, item_key.item_id, content_hash, item.state, item.headers_id, item.schema_id,
               item.run_id, item.tenant_id, item.chain_id, item.target_id, request.receipt,
               request.model_why, request.tenant, request.trace_id, {CALLBACK} AS callback,
               prefix.id AS prefix_id, prefix.document AS prefix, outcome.problem, item.purged
        FROM item_key
        LEFT JOIN item ON item.id = item_key.item_id LEFT JOIN request ON request.item_id = item_key.item_id
        LEFT JOIN prefix ON prefix.id = item.prefix_id LEFT JOIN outcome ON outcome.item_id = item_key.item_id
        WHERE item_key.lane_id = :lane_id AND item_key.key_hash = ANY(:hashes)
        """,
        lane_id=lane_id,
        hashes=[item.key_hash for item in items],
    )
    return {bytes(row.key_hash): _with_callback(connection, row) for row in rows}


def _with_callback(connection: Connection, row: _There) -> _There:
    """The same with its callback as it came."""
    if row.callback is None or row.receipt is None:
        return row
    return row._replace(callback=callback_of(connection, row.receipt, row.callback))


def _followers(connection: Connection, leaders: Sequence[int]) -> dict[int, list[_Follower]]:
    """Those that follow these items already."""
    followers: dict[int, list[_Follower]] = {}
    for stored in fetch_all(
        connection,
        _Follower,
        f"""
        SELECT follower.of_item_id, follower.item_id, follower.receipt, {CALLBACK} AS callback, item.run_id,
               request.tenant, request.trace_id
        FROM follower JOIN item ON item.id = follower.item_id JOIN request ON request.item_id = follower.item_id
        WHERE of_item_id = ANY(:leaders)
        """,
        leaders=list(leaders),
    ):
        callback = None if stored.callback is None else callback_of(connection, stored.receipt, stored.callback)
        row = stored._replace(callback=callback)
        followers.setdefault(row.of_item_id, []).append(row)
    return followers


def _differing(connection: Connection, items: Sequence[NewItem], there: Mapping[bytes, _There]) -> Mapping[int, _Asked]:
    """What those ask that are there, where it isn't byte for byte the same: by item, as far as it can be read."""
    differing = {there[item.key_hash] for item in items if there[item.key_hash].content_hash != item.content_hash}
    texts = prefixes.read_asked(connection, [row.item_id for row in differing]).texts
    return {
        row.item_id: _Asked(
            None
            if row.prefix is None or row.prefix_id is None
            else prefixes.whole(connection, row.prefix_id, row.prefix),
            texts[row.item_id].decode(),
        )
        for row in differing
        if row.item_id in texts
    }


def _is_same(row: _There, item: NewItem, asked: _Asked | None) -> bool:
    """asked: what the row asks, where that differs."""
    if bytes(row.content_hash) == item.content_hash:
        return True
    # the same fields in another order are the same content
    return (
        asked is not None
        and (row.headers_id, row.schema_id) == (item.headers_id, item.schema_id)
        and asked_request(asked.prefix, asked.own, row.model_why)
        == asked_request(
            None if item.prefix is None else item.prefix.document.decode(), item.params.decode(), item.model_why
        )
    )


def _wishes(item: NewItem, run_id: int | None) -> _Wishes:
    return _Wishes(None if item.callback is None else item.callback.decode(), run_id, item.tenant, item.trace_id)


def _others(there: _Wishes | None, own: _Wishes) -> list[str]:
    """What is wished otherwise than by what is there. One that retention has dropped wishes nothing."""
    if there is None:
        return []
    same = {
        "callback": there.callback == own.callback
        or (
            there.callback is not None
            and own.callback is not None
            and exact_json.loads(there.callback) == exact_json.loads(own.callback)
        ),
        "run": there.run_id == own.run_id,
        "tenant": there.tenant == own.tenant,
        "trace_id": there.trace_id == own.trace_id,
    }
    return [name for name, is_same in same.items() if not is_same]


def _same_follower(followers: Sequence[_Follower], wishes: _Wishes) -> _Follower | None:
    return next((follower for follower in followers if not _others(follower.wishes, wishes)), None)


def _successor(item: NewItem, row: _There) -> NewItem:
    """An item in the place of another: with its receipt, and with the wishes that aren't told anew."""
    given = item._replace(receipt=str(row.receipt))
    if item.callback is None and row.callback is not None:
        given = given._replace(callback=row.callback.encode(), target_id=row.target_id)
    if item.tenant is None:
        given = given._replace(tenant=row.tenant, tenant_id=row.tenant_id)
    return given if item.trace_id is not None else given._replace(trace_id=row.trace_id, chain_id=row.chain_id)


def _point_to(connection: Connection, lane_id: int, items: Sequence[NewItem]) -> None:
    """Keys stand for these contents from now on.

    By both conditions: in a lane that statistics don't know yet Postgres would read all its keys for the join.
    """
    execute(
        connection,
        """
        UPDATE item_key SET content_hash = told.content
        FROM unnest(CAST(:hashes AS bytea[]), CAST(:contents AS bytea[])) AS told (key_hash, content)
        WHERE item_key.lane_id = :lane_id AND item_key.key_hash = told.key_hash
          AND item_key.key_hash = ANY(CAST(:hashes AS bytea[]))
        """,
        lane_id=lane_id,
        hashes=[item.key_hash for item in items],
        contents=[item.content_hash for item in items],
    )


def _other_content(item: NewItem, lane: str, row: _There) -> str:
    taken = f"key {item.key!r} is taken in lane {lane!r} by an item with other content"
    if row.has_ended:
        return (
            f"{taken} {ENDED_WITHOUT_ANSWER} ({row.problem}): redo(key={item.key!r}, params=...) or"
            ' if_known="redo" tries it again with this content; or give this one another key'
        )
    return f"{taken}: give this one another key"


def _with_other_wishes(item: NewItem, lane: str, others: Sequence[str]) -> str:
    return (
        f"key {item.key!r} is taken in lane {lane!r} {WITH_ANOTHER} {', '.join(others)}: enqueue it"
        ' with the same, or say if_known="deliver" to have its outcome here too (it is paid once), or give this one'
        " another key"
    )
