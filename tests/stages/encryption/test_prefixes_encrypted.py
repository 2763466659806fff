"""Prefixes of lanes that encrypt: their own and encrypted, replaced with their keys, and nobody else's to wait for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from overnight_models.ledger.operators import encrypted_prefixes, unused
from overnight_models.request.prefix import Prefix
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.stages import rescue
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, item, params, put_prefix, read_command
from tests.stages.encryption.keys import SECRET, new_key, places_with_secret, write
from tests.stages.encryption.test_rotation import standing

CONTRACT = Prefix.of({"system": f"The {SECRET} is our contract. " * 80})


@pytest.fixture
def key_file(service: Service, tmp_path: Path) -> Path:
    """A file with one key; the default lane encrypts by it, the other one doesn't."""
    write(tmp_path / "keys", new_key())
    use(service, tmp_path / "keys")
    return tmp_path / "keys"


def use(service: Service, path: Path, **lane: Any) -> None:
    service.configure(
        lane={"encrypt": "main"} | lane,
        lanes={"other": {"max_wait": "0s"}},
        encryption={"main": {"keys": f"file:{path}"}},
    )


def enqueue(service: Service, *keys: str, lane: str = "default") -> None:
    """Items that go on from the contract."""
    name = put_prefix(service, CONTRACT)
    service.accept(*(item(key, f"Name {key}", prefix=name) for key in keys), lane=lane)


def systems(service: Service) -> list[str]:
    """What the API was sent as `system`, of each request."""
    sent = service.ledger.fetch_all("SELECT api_id FROM submission WHERE api_id IS NOT NULL")
    bodies = [service.api.body_at_the_api(row["api_id"]) for row in sent]
    return [str(request["params"]["system"]) for body in bodies for request in body["requests"]]


def test_a_prefix_of_a_lane_that_encrypts_stands_in_no_table_and_is_sent_whole(
    service: Service, key_file: Path
) -> None:
    enqueue(service, "a", "b")
    assert places_with_secret(service) == set()
    service.finish()
    assert service.ledger.states("item") == ["succeeded", "succeeded"]
    assert len(systems(service)) == 2
    assert all(SECRET in system for system in systems(service))
    assert places_with_secret(service) == set()


def test_in_real_time_it_is_sent_whole_too(service: Service, key_file: Path) -> None:
    use(service, key_file, road="direct")
    enqueue(service, "a")
    service.finish()
    assert service.ledger.states("item") == ["succeeded"]
    assert places_with_secret(service) == set()


def test_lanes_that_do_not_encrypt_keep_one_of_their_own_and_wait_for_no_key(service: Service, key_file: Path) -> None:
    enqueue(service, "a")
    enqueue(service, "b", lane="other")
    own = key_file.read_text().strip()
    write(key_file, new_key())
    service.restart()
    pack()
    submit()
    states = service.ledger.fetch_all("SELECT state, held_reason FROM item ORDER BY id")
    assert [row["state"] for row in states] == ["held", "batched"]
    write(key_file, own)
    service.restart()
    rescue.sweep()
    service.finish()
    assert service.ledger.states("item") == ["succeeded", "succeeded"]


@pytest.mark.parametrize("road", ["batch", "direct"])
def test_whose_prefix_alone_can_not_be_read_is_held_unsent_until_it_can(
    service: Service, key_file: Path, road: str
) -> None:
    use(service, key_file, road=road)
    enqueue(service, "a", "b")
    own = key_file.read_text().strip()
    # what they ask by themselves is by the new key; what they go on from isn't
    write(key_file, new := new_key(), own)
    read_command(app, "encryption", "rotate")
    old_prefix = sealed_by(service, key_file, own)
    write(key_file, new)
    service.restart()
    pack()
    submit()
    direct()
    held = service.ledger.fetch_all("SELECT state, held_reason FROM item")
    assert {row["state"] for row in held} == {"held"}
    assert all("what it begins with" in row["held_reason"] for row in held)
    assert service.api.meter()["billed"] == 0
    rescue.sweep()
    assert set(service.ledger.states("item")) == {"held"}, "it isn't tried in a circle"
    write(key_file, new, old_prefix)
    service.restart()
    rescue.sweep()
    service.finish()
    assert set(service.ledger.states("item")) == {"succeeded"}


def sealed_by(service: Service, key_file: Path, key: str) -> str:
    """The prefix, encrypted by this key again; the key."""
    kept = key_file.read_text()
    write(key_file, key)
    service.restart()
    with process.database().transaction() as connection:
        from overnight_models.ledger import prefixes

        (row,) = service.ledger.fetch_all("SELECT id, own_lane_id AS lane_id, encode(hash, 'hex') AS name FROM prefix")
        prefixes.keep_own(
            connection, row["name"], prefixes.Owner(row["lane_id"], "default"), CONTRACT.document.decode()
        )
    key_file.write_text(kept)
    return key


def test_rotated_to_a_new_key_the_old_one_may_go(service: Service, key_file: Path) -> None:
    enqueue(service, "a")
    old = key_file.read_text().strip()
    write(key_file, new := new_key(), old)
    assert standing()["keys"][1]["values"] == 2, "what it asks, and what that begins with"
    read_command(app, "encryption", "rotate")
    assert [key["may_go"] for key in standing()["keys"]] == [False, True]
    write(key_file, new)
    service.restart()
    service.finish()
    assert service.ledger.states("item") == ["succeeded"]


def test_a_lane_that_is_told_to_encrypt_gets_its_own_and_the_plain_one_goes_when_nobody_needs_it(
    service: Service, key_file: Path
) -> None:
    use(service, key_file, encrypt=None)
    enqueue(service, "a")
    enqueue(service, "b", lane="other")
    use(service, key_file)
    assert standing()["plain"]["default"] == 2
    read_command(app, "encryption", "rotate")
    assert standing()["plain"] == {}
    assert places_with_secret(service) == {"prefix.document"}, "the other lane's"
    read_command(app, "purge", "--key", "b", "--lane", "other", "--cancel", "--yes")
    assert places_with_secret(service) == set()
    service.finish()
    assert service.ledger.states("item") == ["succeeded", "canceled"]


def test_what_a_rotation_gives_older_items_stays_though_nobody_had_it_when_a_purge_looked(
    service: Service, key_file: Path
) -> None:
    enqueue(service, "a")
    own = service.ledger.fetch_one("SELECT id FROM prefix")["id"]
    enqueue(service, "b", lane="other")
    service.ledger.execute("UPDATE item SET prefix_id = (SELECT id FROM prefix WHERE own_lane_id = 0)")
    with process.database().transaction() as connection:
        look = unused.begin(connection, [own])
    while not look.is_over:
        with process.database().transaction() as connection:
            look = unused.go_on(connection, look)
    assert look.prefix_ids == (own,)
    read_command(app, "encryption", "rotate")
    with process.database().transaction() as connection:
        assert encrypted_prefixes.delete_left(connection, look) == 0
    service.finish()
    assert service.ledger.states("item") == ["succeeded", "succeeded"]


def test_a_lane_that_encrypts_no_more_and_then_again_leaves_nothing_plain(service: Service, key_file: Path) -> None:
    enqueue(service, "a")
    use(service, key_file, encrypt=None)
    read_command(app, "encryption", "rotate")
    assert "prefix.document" in places_with_secret(service)
    use(service, key_file)
    enqueue(service, "b")
    read_command(app, "encryption", "rotate")
    assert places_with_secret(service) == set()
    service.finish()
    assert service.ledger.states("item") == ["succeeded", "succeeded"]


def test_when_a_key_is_lost_for_good_what_its_producer_leaves_again_is_written_by_the_new_one(
    service: Service, key_file: Path
) -> None:
    enqueue(service, "a")
    write(key_file, new_key())
    service.restart()
    enqueue(service, "b")
    service.accept(item("c", params=params(f"{SECRET}?")))
    service.round()
    states = {
        row["key"]: row["state"]
        for row in service.ledger.fetch_all("SELECT key, state FROM item JOIN request ON item_id = id")
    }
    assert states["a"] == "held"
    assert states["b"] != "held"
