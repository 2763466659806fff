"""Encryption at rest, for people: which keys are needed still, and everything encrypted anew by those of today."""

from __future__ import annotations

import base64
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from overnight_models.errors import BadSettings
from overnight_models.ledger.bodies import reasons
from overnight_models.ledger.bodies.encryption import KEY_BYTES, key_id
from overnight_models.ledger.operators import actions, encrypted_prefixes, encrypted_words, unused
from overnight_models.ledger.operators import encryption as ledger
from overnight_models.ledger.operators.actions import By
from overnight_models.ledger.operators.stepping import Stepped
from overnight_workers import process
from overnight_workers.keys.encryption_keys import keys_named
from overnight_workers.settings import settings


def new_key() -> str:
    """A key as a source holds it."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


@dataclass(frozen=True)
class KeyStanding:
    """One key, and what is kept by it."""

    id: str
    """In hex; nothing of the key itself."""
    named: str | None
    """The NAME of its `[encryption.NAME]`; None: it isn't there, and what is kept by it can't be read."""
    writes: tuple[str, ...]
    """Lanes that write by it."""
    values: int
    """How many values are encrypted by it: groups of bodies, and texts of single items."""

    @property
    def may_go(self) -> bool:
        """Whether nothing needs it any more, but backups."""
        return self.named is not None and not self.writes and self.values == 0


@dataclass(frozen=True)
class Standing:
    """How it stands with encryption."""

    keys: tuple[KeyStanding, ...]
    plain: dict[str, int]
    """By lanes that encrypt: values that aren't encrypted yet."""
    needless: dict[str, int]
    """By lanes that don't encrypt: values that still are."""


def standing() -> Standing:
    """Look at everything that is kept. Raises DatabaseUnavailable, and BadSettings where keys can't be read."""
    by_lane_and_key: Counter[tuple[str, str | None]] = Counter()
    with process.database().transaction() as connection:
        last = ledger.last_item(connection)
        values: Counter[str] = reasons.count(connection)
        by_lane_and_key.update(encrypted_prefixes.count(connection))
    for first in range(0, last + 1, ledger.WINDOW):
        with process.database().snapshot() as connection:
            by_lane_and_key.update(ledger.count(connection, first))
    for words in encrypted_words.WORDS:
        after: int | None = 0
        while after is not None:
            with process.database().transaction() as connection:
                counted, after = encrypted_words.count(connection, words, after)
            by_lane_and_key.update(counted)
    lanes = settings().lanes
    writes: dict[str, list[str]] = {}
    named: dict[str, str] = {}
    for name in reversed(list(settings().encryption)):
        keys = [key_id(key).hex() for key in keys_named(name)]
        named = dict.fromkeys(keys, name) | named
        writes.setdefault(keys[0], []).extend(lane for lane in lanes if lanes[lane].encrypt == name)
    for (_, key), n in by_lane_and_key.items():
        if key is not None:
            values[key] += n
    standings = (
        KeyStanding(key, named.get(key), tuple(writes.get(key, ())), values[key]) for key in {**named, **values}
    )
    encrypts = {lane for lane in lanes if lanes[lane].encrypt is not None}
    plain = {lane: n for (lane, key), n in by_lane_and_key.items() if key is None and lane in encrypts}
    needless: Counter[str] = Counter()
    for (lane, key), n in by_lane_and_key.items():
        if key is not None and lane not in encrypts:
            needless[lane] += n
    return Standing(tuple(standings), plain, dict(needless))


def rotate() -> Iterator[tuple[str, Stepped]]:
    """Encrypt everything by the keys of today, step by step, each a transaction; what was done, with the column's name.

    Killed in the middle, the same again goes on. Raises NoKey where a lane has no key to write by.
    """
    for table in ledger.GROUPS:
        after: int | None = 0
        while after is not None:
            with process.database().transaction() as connection:
                stepped = ledger.step_groups(connection, table, after)
            yield table, stepped
            after = stepped.last
    for column in ledger.COLUMNS:
        after = 0
        while after is not None:
            with process.database().transaction() as connection:
                stepped = ledger.step_texts(connection, column, after)
            yield f"{column.table}.{column.name}", stepped
            after = stepped.last
    for words in encrypted_words.WORDS:
        after = 0
        while after is not None:
            with process.database().transaction() as connection:
                stepped = encrypted_words.step(connection, words, after)
            yield words.name, stepped
            after = stepped.last
    yield from _rotate_prefixes()


def _rotate_prefixes() -> Iterator[tuple[str, Stepped]]:
    """Items of lanes that encrypt go on from prefixes of their own, and those are by the keys of today."""
    with process.database().transaction() as connection:
        last = ledger.last_item(connection)
    after: int | None = 0
    while after is not None:
        with process.database().transaction() as connection:
            stepped = encrypted_prefixes.step_shared(connection, after, last)
        yield "prefix.document", stepped
        after = stepped.last
    with process.database().transaction() as connection:
        look = encrypted_prefixes.look_for_left(connection)
    while not look.is_over:
        with process.database().transaction() as connection:
            look = unused.go_on(connection, look)
    with process.database().transaction() as connection:
        encrypted_prefixes.delete_left(connection, look)
    after = 0
    while after is not None:
        with process.database().transaction() as connection:
            stepped = encrypted_prefixes.step_own(connection, after)
        yield "prefix.document", stepped
        after = stepped.last


def note_rotation(by: By, *, changed: int, unread: int, whole: bool) -> None:
    """Keep who had everything encrypted anew, how many values were written, and whether it came to its end."""
    left = {"unread": unread} if unread else {}
    with process.database().transaction() as connection:
        actions.note(connection, "rotate", left if whole else left | {"stopped": True}, by, items=changed)


def key_lines() -> list[tuple[str, str | None, str]]:
    """Of each `[encryption.NAME]`: its name, what is wrong with it, and how it stands. What is kept isn't looked at."""
    lines: list[tuple[str, str | None, str]] = []
    for name in settings().encryption:
        lanes = ", ".join(lane for lane, rules in settings().lanes.items() if rules.encrypt == name) or "no lane"
        try:
            keys = [key_id(key).hex() for key in keys_named(name)]
        except BadSettings as error:
            lines.append((name, "; ".join(error.faults), ""))
            continue
        others = f", reads by {len(keys) - 1} more (`overnight encryption` says which may go)" if keys[1:] else ""
        lines.append((name, None, f"{lanes}: writes by key {keys[0]}{others}"))
    return lines
