"""Groups of bodies in their tables: written once, read once for all that is wanted of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, Literal, NamedTuple

from overnight_models.ledger.bodies.encryption import NoKey, Unreadable, is_sealed, key_that_sealed, seal, unseal
from overnight_models.ledger.bodies.packed import DamagedGroup, Group, pack_group, read_group
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.copying import copy_binary, fetch_binary
from overnight_models.ledger.partitions import PARTITION_ITEMS
from overnight_models.ledger.rows import execute, fetch_only_value, fetch_value

GroupTable = Literal["request_group", "answer_group"]
"""Both are (id, items, packed), partitioned as items are. A group's id is that of its first item."""


class Most(NamedTuple):
    """How much is in a group, before it is compressed; a body that is longer has a group of its own."""

    items: int
    bytes: int


READ_ALONE: Final = Most(500, 1_000_000)
"""Of bodies that are asked for one by one: each time its whole group is decompressed."""
READ_TOGETHER: Final = Most(1_500, 2_000_000)
"""Of bodies that are read one after the other: 8% less than in groups of 500. One alone takes 2 ms instead of 0.6."""
_FEWEST_BYTES: Final = 2_000
"""Less than that isn't worth a row: it is a text in its item's own."""
_READ_AT_ONCE: Final = 8
"""Groups that one statement fetches."""
_KEPT_BYTES: Final = 8_000_000


class Body(NamedTuple):
    """A body that is to be written."""

    item_id: int
    tenant_id: int | None
    """Bodies of several tenants never share a group."""
    text: bytes


class Place(NamedTuple):
    """Where a body lies."""

    group: int
    place: int


def are_begun(connection: Connection) -> bool:
    """Whether bodies may be written in groups: no process of a version runs that can't read them. See `schema`."""
    return fetch_only_value(connection, bool, "SELECT bodies_in_groups FROM deployment")


def write_groups(
    connection: Connection,
    table: GroupTable,
    bodies: Iterable[Body],
    key: bytes | None = None,
    most: Most | None = None,
) -> dict[int, Place]:
    """Write bodies of one lane in groups. Returns where each lies by its item.

    key: what they are encrypted by; None: they aren't.
    most: how much a group has; None: of bodies that are asked for one by one.

    Those that aren't in it are the caller's to write into their items' own rows: few bytes that stand alone, and all of
    them while workers may run that can't read groups.
    """
    divided = list(_divided(sorted(bodies, key=lambda body: (body.tenant_id or 0, body.item_id)), most or READ_ALONE))
    if not divided or not are_begun(connection):
        return {}
    rows = [
        (first := group[0].item_id, len(group), packed_bytes(table, first, [body.text for body in group], key))
        for group in divided
    ]
    copy_binary(connection, f"{table} (id, items, packed)", ("int8", "int2", "bytea"), rows)
    return {body.item_id: Place(group[0].item_id, place) for group in divided for place, body in enumerate(group)}


def packed_bytes(table: GroupTable, number: int, bodies: Sequence[bytes], key: bytes | None) -> bytes:
    """A group's bytes as its row has them. key: what they are encrypted by; None: they aren't."""
    packed = pack_group(bodies)
    return packed if key is None else seal(key, f"{table}:{number}", packed)


def read_packed(connection: Connection, table: GroupTable, number: int, packed: bytes) -> Group:
    """A group from its bytes. Raises DamagedGroup, and Unreadable without the key that it is encrypted by."""
    return read_group(unseal(connection, f"{table}:{number}", packed) if is_sealed(packed) else packed)


def _divided(bodies: Sequence[Body], most: Most) -> Iterator[list[Body]]:
    """Bodies as groups: of one tenant and one partition, with so many bytes that a row is worth it."""
    for _, alike in groupby(bodies, key=lambda body: (body.tenant_id, body.item_id // PARTITION_ITEMS)):
        group: list[Body] = []
        size = 0
        for body in alike:
            if group and (len(group) == most.items or size + len(body.text) > most.bytes):
                yield group
                group, size = [], 0
            group.append(body)
            size += len(body.text)
        if size >= _FEWEST_BYTES:
            yield group


class Found(NamedTuple):
    """What was read of groups."""

    bodies: Mapping[Place, bytes]
    damaged: Mapping[int, str]
    """Groups that can't be read, and why; of these no body is here."""
    without_key: frozenset[int] = frozenset()
    """Of those, the ones whose encryption key isn't there: nothing is wrong with them."""


def read_places(
    connection: Connection,
    table: GroupTable,
    places: Iterable[tuple[int, int]],
    at_hand: Mapping[int, bytes] | None = None,
) -> Found:
    """Bodies by their places. Each group is fetched and decompressed once, and only what is wanted of it is kept.

    at_hand: groups as their rows have them, which needn't be fetched.
    """
    wanted: dict[int, set[int]] = {}
    for number, place in places:
        wanted.setdefault(number, set()).add(place)
    bodies: dict[Place, bytes] = {}
    damaged: dict[int, str] = {}
    without_key: set[int] = set()
    numbers = sorted(wanted)
    for start in range(0, len(numbers), _READ_AT_ONCE):
        some = numbers[start : start + _READ_AT_ONCE]
        packed = {number: at_hand[number] for number in some if number in at_hand} if at_hand else {}
        if missing := [number for number in some if number not in packed]:
            packed |= _fetch(connection, table, missing)
        for number in some:
            try:
                group = _unpacked(connection, table, number, packed.pop(number, None))
                bodies |= {Place(number, place): _in(group, table, number, place) for place in wanted[number]}
            except DamagedGroup as error:
                damaged[number] = str(error)
                if isinstance(error, Unreadable):
                    without_key.add(number)
    return Found(bodies, damaged, frozenset(without_key))


def forget_places(connection: Connection, table: GroupTable, places: Iterable[tuple[int, int]]) -> None:
    """Bodies go out of their groups, which are written anew without them.

    Raises NoKey where a group's encryption key isn't there, and DamagedGroup where it can't be read, and others' bodies
    are in it, too: it may be restored.
    """
    wanted: dict[int, set[int]] = {}
    for number, place in places:
        wanted.setdefault(number, set()).add(place)
    for number in sorted(wanted):
        items = fetch_value(connection, int, f"SELECT items FROM {table} WHERE id = :id FOR UPDATE", id=number)
        packed = _fetch(connection, table, [number]).get(number)
        if packed is None:
            continue
        try:
            bodies = list(read_packed(connection, table, number, packed))
        except Unreadable as error:
            raise NoKey(f"{table} {number}: {error}") from error
        except DamagedGroup as error:
            if len(wanted[number]) == items:
                execute(connection, f"DELETE FROM {table} WHERE id = :id", id=number)
                continue
            raise DamagedGroup(
                f"{table} {number} can't be read, so nothing goes out of it alone, and it has bodies of {items} items:"
                f" restore its row from a backup, or delete it, and do this again ({error})"
            ) from error
        kept = [b"" if place in wanted[number] else body for place, body in enumerate(bodies)]
        key = key_that_sealed(connection, packed)
        execute(
            connection,
            f"UPDATE {table} SET packed = :packed WHERE id = :id",
            packed=packed_bytes(table, number, kept, key),
            id=number,
        )


class GroupReader:
    """Reads body after body of a long list; the groups that were read last are kept, up to so many bytes."""

    def __init__(self, connection: Connection, table: GroupTable, *, kept_bytes: int = _KEPT_BYTES) -> None:
        self._connection = connection
        self._table: GroupTable = table
        self._kept_bytes = kept_bytes
        self._groups: OrderedDict[int, Group] = OrderedDict()

    def body(self, group: int, place: int) -> bytes:
        """One body. Raises DamagedGroup."""
        return _in(self._group(group), self._table, group, place)

    def _group(self, number: int) -> Group:
        known = self._groups.get(number)
        if known is not None:
            self._groups.move_to_end(number)
            return known
        packed = _fetch(self._connection, self._table, [number])
        group = self._groups[number] = _unpacked(self._connection, self._table, number, packed.get(number))
        while len(self._groups) > 1 and sum(kept.size for kept in self._groups.values()) > self._kept_bytes:
            self._groups.popitem(last=False)
        return group


class _Packed(NamedTuple):
    id: int
    packed: bytes


def _fetch(connection: Connection, table: GroupTable, numbers: Sequence[int]) -> dict[int, bytes]:
    return dict(
        fetch_binary(connection, _Packed, f"SELECT id, packed FROM {table} WHERE id = ANY(%s)", [list(numbers)])
    )


def _unpacked(connection: Connection, table: GroupTable, number: int, packed: bytes | None) -> Group:
    if packed is None:
        raise DamagedGroup(f"{table} {number} isn't there")
    try:
        return read_packed(connection, table, number, packed)
    except Unreadable as error:
        raise Unreadable(f"{table} {number}: {error}") from error
    except DamagedGroup as error:
        raise DamagedGroup(f"{table} {number}: {error}") from error


def _in(group: Group, table: GroupTable, number: int, place: int) -> bytes:
    try:
        return group[place]
    except IndexError:
        raise DamagedGroup(f"{table} {number} has {len(group)} bodies, and none in place {place}") from None
