"""A purge, step by step: what is done before its first group, each group, and what is done behind the last one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import orjson

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.operators import unused
from overnight_models.ledger.operators.purge import mentions, texts
from overnight_models.ledger.operators.purge.group import Group, purge_group
from overnight_models.ledger.operators.purge.wanted import Purge
from overnight_models.ledger.operators.unused import Look
from overnight_models.ledger.rows import execute, fetch_column, fetch_value


@dataclass
class _Removed:
    """What a purge has removed so far, and what it notes until its end: whether others have it too is asked once."""

    counts: dict[str, int]
    prefix_ids: list[int]
    chain_ids: list[int]
    prefix_hashes: list[str]
    look: dict[str, object]
    """How far the look behind the last group has come, for which of the prefixes and chains others have: those that it
    hasn't met are noted above."""

    @classmethod
    def read(cls, written: str | None) -> _Removed:
        document = orjson.loads(written or "{}")
        noted = {name: document.pop(name, []) for name in ("prefix_ids", "chain_ids", "prefix_hashes")}
        return cls(look=document.pop("look", {}), counts=document, **noted)

    def add(self, group: Group) -> None:
        for kind, n in group.removed.items():
            self.counts[kind] = self.counts.get(kind, 0) + n
        self.prefix_ids = sorted({*self.prefix_ids, *group.prefixes})
        self.chain_ids = sorted({*self.chain_ids, *group.chains})

    def read_look(self) -> Look:
        """It, as it was noted."""
        document = dict(self.look)
        began = datetime.fromisoformat(str(document.pop("began")))
        return Look(tuple(self.prefix_ids), tuple(self.chain_ids), began=began, **document)  # type: ignore[arg-type]

    def note(self, look: Look) -> None:
        self.prefix_ids, self.chain_ids = list(look.prefix_ids), list(look.chain_ids)
        self.look = {"after": look.after, "last": look.last, "began": look.began.isoformat()}

    def dump(self) -> str:
        prefixes = {"prefixes": len(self.prefix_hashes)} if self.prefix_hashes else {}
        noted = {name: value for name, value in vars(self).items() if name != "counts" and value}
        return orjson.dumps(self.counts | prefixes | noted).decode()


class Stepped(NamedTuple):
    """What a step has done."""

    purged: int
    last: int
    """The last item of its group; 0 when there is no more."""
    removed: str
    """JSON: what the purge has removed so far."""


def prepare(connection: Connection, action_id: int, taken_out: int) -> None:
    """Before the first group: keys that are named elsewhere are forgotten, and the purge is about all items up to now.

    taken_out: items that waited in Redis to be accepted, and were taken out.
    """
    wish = fetch_value(
        connection,
        str,
        "SELECT wish FROM action WHERE id = :id AND name = 'purge' AND removed IS NULL AND ended_at IS NULL FOR UPDATE",
        id=action_id,
    )
    if wish is None:
        return
    removed = mentions.forget(connection, Purge.of(orjson.loads(wish)))
    removed |= {"not accepted": taken_out} if taken_out else {}
    execute(
        connection,
        "UPDATE action SET removed = :removed, until_item = (SELECT last_value FROM item_id) WHERE id = :id",
        id=action_id,
        removed=orjson.dumps(removed).decode(),
    )


def step(connection: Connection, purge: Purge, written: str | None, *, after: int, until: int, limit: int) -> Stepped:
    """Purge a group, or behind the last one what only these items had in common: first that is looked for.

    written: what was removed before, as a step returns it.
    """
    removed = _Removed.read(written)
    if removed.look:
        return _look_on(connection, removed, until)
    group = purge_group(connection, purge, after=after, until=until, limit=limit)
    removed.add(group)
    if group.last or not (removed.prefix_ids or removed.chain_ids):
        return Stepped(group.purged, group.last, removed.dump())
    texts.keep_retention_away(connection)
    removed.note(unused.begin(connection, removed.prefix_ids, removed.chain_ids))
    return Stepped(group.purged, until, removed.dump())


def _look_on(connection: Connection, removed: _Removed, until: int) -> Stepped:
    look = unused.go_on(connection, removed.read_look())
    removed.note(look)
    if not look.is_over:
        return Stepped(0, until, removed.dump())
    texts.keep_retention_away(connection)
    removed.prefix_hashes = texts.forget_shared(connection, look)
    removed.prefix_ids, removed.chain_ids, removed.look = [], [], {}
    return Stepped(0, 0, removed.dump())


def untidy(connection: Connection, *, for_s: float) -> list[int]:
    """Purges that ended so long ago and whose prefixes may still lie in Redis: whoever ended them may be dead."""
    return fetch_column(
        connection,
        int,
        """
        SELECT id FROM action
        WHERE name = 'purge' AND removed LIKE '%"prefix_hashes"%' AND ended_at < now() - make_interval(secs => :for_s)
        ORDER BY id
        """,
        for_s=for_s,
    )


def note_tidied(connection: Connection, action_id: int) -> None:
    """The prefixes of a purge are gone from Redis, too."""
    execute(
        connection,
        "UPDATE action SET removed = (CAST(removed AS jsonb) - 'prefix_hashes')::text WHERE id = :id",
        id=action_id,
    )
