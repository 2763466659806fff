"""Groups of bodies in their table: who shares one, and what a damaged one costs."""

from __future__ import annotations

import pytest

from overnight_models.ledger.bodies import groups
from overnight_models.ledger.bodies.groups import Body, GroupReader, Place, read_places, write_groups
from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.database import Database
from overnight_models.ledger.partitions import PARTITION_ITEMS
from overnight_models.ledger.rows import execute, fetch_column, fetch_only_value
from overnight_models.ledger.schema import migrate


def body(item_id: int, tenant_id: int | None = None, size: int = 1_000) -> Body:
    return Body(item_id, tenant_id, b"%d:" % item_id + b"x" * size)


def test_bodies_are_read_where_they_were_written(database: Database) -> None:
    bodies = [body(n) for n in range(1, 1_201)]
    with database.transaction() as connection:
        places = write_groups(connection, "request_group", bodies)
        assert {place.group for place in places.values()} == {1, 501, 1001}
        found = read_places(connection, "request_group", places.values())
        assert {item_id: found.bodies[place] for item_id, place in places.items()} == {
            b.item_id: b.text for b in bodies
        }
        reader = GroupReader(connection, "request_group", kept_bytes=1)
        assert [reader.body(*places[b.item_id]) for b in bodies] == [b.text for b in bodies]


def test_a_group_is_of_one_tenant_of_one_partition_and_within_its_bytes(database: Database) -> None:
    last = PARTITION_ITEMS - 2
    bodies = [body(last + n, tenant_id=n % 2 or None, size=300_000) for n in range(12)]
    with database.transaction() as connection:
        places = write_groups(connection, "request_group", bodies)
    together: dict[int, list[Body]] = {}
    for member in bodies:
        together.setdefault(places[member.item_id].group, []).append(member)
    for first, members in together.items():
        assert first == members[0].item_id
        assert len({member.tenant_id for member in members}) == 1
        assert len({member.item_id // PARTITION_ITEMS for member in members}) == 1
        assert sum(len(member.text) for member in members) <= groups.READ_ALONE.bytes
    assert len(together) == 6


def test_postgres_does_not_try_to_compress_what_is_compressed(database: Database) -> None:
    with database.transaction() as connection:
        stored = fetch_column(
            connection,
            str,
            "SELECT DISTINCT attstorage::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
            " WHERE relname LIKE 'request_group%' AND attname = 'packed'",
        )
    assert stored == ["e"], "external, in each partition too"


def test_few_bytes_that_stand_alone_are_left_to_their_items_rows_and_a_long_body_is_not(database: Database) -> None:
    with database.transaction() as connection:
        assert write_groups(connection, "request_group", [body(1), body(2, 7), body(3, 8, 5_000_000)]) == {
            3: Place(3, 0)
        }


def test_a_damaged_group_costs_only_its_own_bodies(database: Database) -> None:
    with database.transaction() as connection:
        places = write_groups(connection, "request_group", [body(n) for n in range(1, 1_501)])
        execute(connection, "UPDATE request_group SET packed = set_byte(packed, 40, 0) WHERE id = 501")
        execute(connection, "DELETE FROM request_group WHERE id = 1001")
        found = read_places(connection, "request_group", [*places.values(), (1, 900)])
        reader = GroupReader(connection, "request_group")
        for item_id in (501, 1001):
            with pytest.raises(DamagedGroup, match=f"request_group {item_id}"):
                reader.body(*places[item_id])
        assert reader.body(*places[1]) == body(1).text
        assert fetch_column(connection, int, "SELECT id FROM request_group ORDER BY id") == [1, 501], "no error in SQL"
    assert set(found.damaged) == {1, 501, 1001}
    assert "none in place 900" in found.damaged[1]


def test_the_groups_that_are_kept_while_a_list_is_read_have_bounded_bytes(database: Database) -> None:
    with database.transaction() as connection:
        places = write_groups(connection, "request_group", [body(n, size=400_000) for n in range(1, 41)])
        reader = GroupReader(connection, "request_group", kept_bytes=3_000_000)
        kept = []
        for place in places.values():
            reader.body(*place)
            kept.append(sum(group.size for group in reader._groups.values()))
    assert max(kept) <= 3_000_000
    assert kept[-1] > 2_000_000, "as much as may be"


def test_bodies_lie_in_groups_in_a_new_ledger_and_after_the_second_migration_of_an_old_one(
    fresh_database: Database,
) -> None:
    def are_begun() -> bool:
        with fresh_database.transaction() as connection:
            return groups.are_begun(connection)

    assert are_begun()
    with fresh_database.transaction() as connection:
        execute(connection, "UPDATE deployment SET bodies_in_groups = false")
        assert fetch_only_value(connection, str, "SELECT version_num FROM overnight_version") >= "0022"
    migrate(fresh_database)
    assert are_begun()
