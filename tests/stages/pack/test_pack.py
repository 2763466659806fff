"""Pack: waiting items become batches at their lane's thresholds, oldest first, all of them or none."""

from __future__ import annotations

from overnight_models.ledger.operators.lanes import pause, resume
from overnight_models.ledger.pack.pack import FRAME_BYTES
from overnight_workers import process
from overnight_workers.stages.pack.pack import pack
from tests.driving import Service, item


def sizes(service: Service) -> list[int]:
    return [row["items"] for row in service.ledger.fetch_all("SELECT items FROM batch ORDER BY id")]


def test_at_a_number_of_items(service: Service) -> None:
    service.configure(lane={"max_items": 10, "max_wait": "1h"})
    service.accept(*(item(f"k{n}") for n in range(9)))
    pack()
    assert sizes(service) == []
    service.accept(*(item(f"m{n}") for n in range(16)))
    pack()
    assert sizes(service) == [10, 10]
    assert service.ledger.states("item").count("waiting") == 5


def test_at_a_number_of_bytes_which_no_batch_exceeds(service: Service) -> None:
    service.configure(lane={"max_bytes": "10kB", "max_wait": "1h"})
    service.accept(*(item(f"k{n}", "x" * 3000) for n in range(3)))
    pack()
    assert sizes(service) == []
    service.accept(*(item(f"m{n}", "x" * 3000) for n in range(4)))
    pack()
    assert sizes(service) == [3, 3]
    for row in service.ledger.fetch_all("SELECT items, size FROM batch"):
        assert row["size"] + row["items"] * FRAME_BYTES <= 10_000


def test_at_an_age(service: Service) -> None:
    service.configure(lane={"max_items": 2, "max_wait": "60s"})
    service.accept(item("a"), item("b"), item("c"))
    service.ledger.execute("UPDATE item SET waiting_since = now() - interval '59 s'")
    pack()
    assert sizes(service) == [2]
    service.ledger.execute("UPDATE item SET waiting_since = now() - interval '60 s' WHERE state = 'waiting'")
    pack()
    assert sizes(service) == [2, 1]


def test_into_so_many_batches_as_the_lane_wants(service: Service) -> None:
    service.configure(lane={"max_items": 10, "max_wait": "0s", "target_batches": 3})
    service.accept(*(item(f"k{n}") for n in range(8)))
    pack()
    assert sizes(service) == [3, 3, 2]


def test_fewer_than_the_least_number_of_items_wait_for_their_deadline(service: Service) -> None:
    rule = {"max_items": 10, "max_wait": "0s", "min_items": 3, "road": "by_deadline", "deadline": "8h"}
    service.configure(lane=rule)
    service.accept(item("a"), item("b"))
    pack()
    assert sizes(service) == []
    service.accept(item("c"))
    pack()
    assert sizes(service) == [3]


def test_the_oldest_go_first(service: Service) -> None:
    service.configure(lane={"max_items": 2, "max_wait": "1h"})
    service.accept(*(item(key) for key in "abc"))
    service.ledger.execute(
        "UPDATE item SET waiting_since = now() - interval '1 min' WHERE size > 0 AND id = (SELECT max(id) FROM item)"
    )
    pack()
    assert [service.ledger.item(key)["state"] for key in "abc"] == ["batched", "waiting", "batched"]


def test_an_item_as_large_as_a_batch_goes_alone_and_blocks_nothing(service: Service) -> None:
    service.configure(lane={"max_bytes": "5kB"})
    service.accept(item("small"), item("large", "x" * 4800), item("last"))
    for _ in range(3):
        pack()
    assert sorted(sizes(service)) == [1, 1, 1]
    assert service.ledger.states("item") == ["batched"] * 3


def test_items_of_other_headers_never_share_a_batch(service: Service) -> None:
    service.configure(
        lanes={"old": {"api_version": "2023-06-01", "max_wait": "0s"}, "other": {"workspace": "two", "max_wait": "0s"}},
        workspaces={"two": {}},
    )
    service.accept(
        item("a"), item("b", betas=["y-1", "x-1"]), item("c", betas=["x-1", "y-1"]), item("d", betas=["x-1"])
    )
    service.accept(item("e"), lane="old")
    service.accept(item("f"), lane="other")
    pack()
    assert sorted(sizes(service)) == [1, 1, 1, 1, 2]
    assert service.ledger.item("b")["batch_id"] == service.ledger.item("c")["batch_id"]


def test_a_paused_lane_waits_and_stalls_no_other(service: Service) -> None:
    service.configure(lanes={"night": {"max_wait": "0s"}})
    service.accept(item("a"))
    service.accept(item("b"), lane="night")
    lane_id = process.names().lane("default")
    with process.database().transaction() as connection:
        assert pause(connection, lane_id, "prompt under review")
        assert not pause(connection, lane_id, "again")
    pack()
    assert (service.ledger.item("a")["state"], service.ledger.item("b")["state"]) == ("waiting", "batched")
    with process.database().transaction() as connection:
        assert resume(connection, lane_id) is not None
    pack()
    assert service.ledger.item("a")["state"] == "batched"


def test_a_lane_that_the_configuration_lost_stalls_no_other(service: Service) -> None:
    service.configure(lanes={"a-gone": {"max_wait": "0s"}})
    service.accept(item("a"), lane="a-gone")
    service.accept(item("b"))
    service.configure()
    pack()
    assert (service.ledger.item("a")["state"], service.ledger.item("b")["state"]) == ("waiting", "batched")


def test_packing_nothing_leaves_nothing(service: Service) -> None:
    assert pack() == "0 batches, 0 items"
    assert service.ledger.states("batch") == []


def test_tenants_take_turns_with_those_without_one_however_few_some_have(service: Service) -> None:
    service.configure(lane={"max_items": 8, "max_wait": "1h"})
    service.accept(*(item(f"big{n}", tenant="big") for n in range(9)), item("one", tenant="small"))
    service.accept(*(item(f"none{n}") for n in range(3)))
    pack()
    batched = {
        row["key"]
        for row in service.ledger.fetch_all("SELECT key FROM item JOIN request ON item_id = id WHERE batch_id = 1")
    }
    assert batched == {"one", "none0", "none1", "none2", "big0", "big1", "big2", "big3"}
    assert service.ledger.states("item").count("waiting") == 5


def test_who_waits_longest_is_found_whosever_it_is(service: Service) -> None:
    service.configure(lane={"max_wait": "60s"})
    tenants = ("a", "b", None)
    for tenant in tenants:
        service.accept(item(f"of {tenant}", tenant=tenant))
        service.ledger.execute("UPDATE item SET waiting_since = now() - interval '61 s' WHERE state = 'waiting'")
        service.accept(*(item(f"later of {other} than {tenant}", tenant=other) for other in tenants))
        pack()
        assert "waiting" not in service.ledger.states("item")
