"""Requests in groups: sent as they were asked; what can't be read costs only its items, which wait for a restore."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson
import pytest
from typer.testing import CliRunner

from overnight_models.ledger import redo, release
from overnight_models.ledger.bodies import requests
from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.operators import item_life
from overnight_models.ledger.partitions import PARTITION_ITEMS, make_partitions
from overnight_models.request.prefix import Prefix
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.stages.accept import accept as accepting
from overnight_workers.stages.accept.gather import Message
from overnight_workers.stages.measure.measure import measure
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.budgeting import DOLLAR, budget
from tests.driving import Service, item, params, put_prefix, read_command, text_of
from tests.service.ledger import Json

LONG = "Every clause of it. " * 100
DAMAGED = (
    "UPDATE request_group SET packed = set_byte(packed, length(packed) / 2, get_byte(packed, length(packed) / 2) # 1)"
)


def long_items(*keys: str, **more: Any) -> list[Json]:
    return [item(key, f"{text_of(key)} {LONG}", **more) for key in keys]


def groups(service: Service) -> list[int]:
    return [row["id"] for row in service.ledger.fetch_all("SELECT id FROM request_group ORDER BY id")]


def reasons(service: Service) -> list[str]:
    return [row["held_reason"] for row in service.ledger.fetch_all("SELECT held_reason FROM item WHERE held_by = 0")]


def test_the_items_of_a_message_share_a_group_and_are_sent_as_they_were_asked(service: Service) -> None:
    items = long_items(*(f"k{n}" for n in range(20)))
    service.accept(*items)
    assert groups(service) == [1]
    assert service.ledger.fetch_all("SELECT 1 FROM request WHERE params IS NOT NULL") == []
    asked = [orjson.loads(own) for own in service.ledger.asked().values()]
    assert asked == [line["params"] for line in items]
    service.finish()
    assert service.ledger.states("item") == ["succeeded"] * 20


@pytest.mark.parametrize(("road", "sizes"), [("batch", [600]), ("direct", [500, 100])])
def test_what_is_sent_alone_is_in_smaller_groups_than_what_is_sent_in_a_batch(
    service: Service, road: str, sizes: list[int]
) -> None:
    service.configure(lane={"road": road})
    service.accept(*(item(f"k{n}") for n in range(600)))
    there = service.ledger.fetch_all("SELECT items FROM request_group ORDER BY id")
    assert [row["items"] for row in there] == sizes


def test_items_enqueued_one_by_one_and_accepted_together_share_a_group(service: Service) -> None:
    messages = [
        Message(1, uuid4(), "default", orjson.dumps(line).decode(), None, None) for line in long_items(*"abcdef")
    ]
    accepting.take_in(messages)
    assert groups(service) == [1]


def test_tenants_share_no_group(service: Service) -> None:
    service.accept(*long_items("a", "b", tenant="one"), *long_items("c", "d", tenant="two"))
    assert groups(service) == [1, 3]


def test_while_workers_may_run_that_can_not_read_groups_requests_are_rows(service: Service) -> None:
    service.ledger.execute("UPDATE deployment SET bodies_in_groups = false")
    service.accept(*long_items("a", "b"))
    service.ledger.execute("UPDATE deployment SET bodies_in_groups = true")
    service.accept(*long_items("c", "d"))
    assert groups(service) == [3]
    service.finish()
    assert service.ledger.states("item") == ["succeeded"] * 4, "both kinds in one batch"


@pytest.mark.parametrize("harm", [DAMAGED, "DELETE FROM request_group"], ids=["damaged", "gone"])
def test_a_group_that_can_not_be_read_holds_only_its_items_until_it_is_restored(service: Service, harm: str) -> None:
    service.accept(*long_items("a", "b"))
    service.accept(*long_items("c", "d"))
    kept = service.ledger.fetch_one("SELECT * FROM request_group WHERE id = 3")
    service.ledger.execute(f"{harm} WHERE id = 3")
    service.round()
    assert service.ledger.states("item") == ["succeeded", "succeeded", "held", "held"]
    assert all(why.startswith("its request can't be read: request_group 3") for why in reasons(service))
    status = read_command(app, "status", "--json")
    assert "Lane default: 2 items are held: its request can't be read: request_group 3" in status
    assert "request_group 3" in read_command(app, "items", "c")
    sweep()
    assert service.ledger.states("item")[2:] == ["held", "held"], "it is damaged still"
    service.ledger.execute("DELETE FROM request_group WHERE id = 3")
    service.ledger.execute("INSERT INTO request_group VALUES (%s, %s, %s)", *kept.values())
    sweep()
    service.finish()
    assert service.ledger.states("item") == ["succeeded"] * 4
    assert service.api.meter()["requests"] == 4, "each is paid once"


def test_what_stays_unreadable_keeps_nothing_that_is_restored_waiting_however_much_it_is(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where one lane's encryption key is lost for good, and another's was away for an hour."""
    monkeypatch.setattr(release, "_LOOKED_AT", 1)
    lost, back = [f"lost {n}" for n in range(501)], ["back"]
    service.accept(*(item(key) for key in lost))
    service.accept(*long_items(*back))
    kept = service.ledger.fetch_one("SELECT * FROM request_group WHERE id = 502")
    service.ledger.execute("DELETE FROM request_group")
    pack()
    submit()
    assert service.ledger.states("item") == ["held"] * 502
    service.ledger.execute("INSERT INTO request_group VALUES (%s, %s, %s)", kept["id"], kept["items"], kept["packed"])
    for _ in range(40):  # each draws one of two reasons
        with process.database().transaction() as connection:
            if release.release(connection):
                break
    assert service.ledger.item("back")["state"] == "waiting"
    assert service.ledger.states("item").count("held") == 501


def test_what_stays_unreadable_keeps_nothing_waiting_that_was_held_later_for_the_same_words(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "_LOOKED_AT", 10)
    monkeypatch.setattr(release, "_FOR_EACH", 1)
    service.accept(*(item(f"lost {n}") for n in range(20)))
    service.accept(item("back"))
    kept = service.ledger.fetch_one("SELECT item_id, params FROM request WHERE key = 'back'")
    service.ledger.execute("UPDATE request SET params = NULL, body_group = NULL, body_place = NULL")
    pack()
    submit()
    assert len(set(reasons(service))) == 1
    service.ledger.execute("UPDATE request SET params = %s WHERE item_id = %s", kept["params"], kept["item_id"])
    for _ in range(60):  # each looks at ten: the oldest, or those from some place among them on
        with process.database().transaction() as connection:
            if release.release(connection):
                break
    assert service.ledger.item("back")["state"] == "waiting"
    assert service.ledger.states("item").count("held") == 20


def test_a_batch_of_damaged_requests_alone_is_emptied(service: Service) -> None:
    service.accept(*long_items("a", "b"))
    service.ledger.execute(DAMAGED)
    pack()
    submit()
    assert service.ledger.states("batch") == ["canceled"]
    assert service.ledger.states("item") == ["held", "held"]
    assert service.api.meter()["requests"] == 0


def test_what_is_held_for_that_can_be_taken_back(service: Service) -> None:
    service.accept(*long_items("a", "b"))
    service.ledger.execute(DAMAGED)
    pack()
    submit()
    read_command(app, "cancel", "a", "--yes")
    assert service.ledger.states("item") == ["canceled", "held"]


def test_with_prefixes_too_the_others_of_the_batch_are_sent(service: Service) -> None:
    hash_ = put_prefix(service, Prefix.of({"system": "Be brief. " * 50}))
    service.accept(*long_items("a", "b", prefix=hash_))
    service.accept(*long_items("c", "d", prefix=hash_))
    service.ledger.execute(f"{DAMAGED} WHERE id = 1")
    service.round()
    assert service.ledger.states("item") == ["held", "held", "succeeded", "succeeded"]


def test_in_real_time_too(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(*long_items("a", "b"))
    service.accept(*long_items("c", "d"))
    service.ledger.execute(f"{DAMAGED} WHERE id = 1")
    service.round()
    assert service.ledger.states("item") == ["held", "held", "succeeded", "succeeded"]


def test_what_can_not_be_counted_for_that_is_held_and_counted_when_it_is_restored(service: Service) -> None:
    service.configure(lane={"max_input_tokens": 3_000})
    service.accept(*long_items("a", "b"))
    kept = service.ledger.fetch_one("SELECT packed FROM request_group")["packed"]
    service.ledger.execute(DAMAGED)
    measure()
    assert service.ledger.states("item") == ["held", "held"]
    service.ledger.execute("UPDATE request_group SET packed = %s", kept)
    sweep()
    measure()
    service.finish()
    assert service.ledger.states("item") == ["succeeded", "succeeded"]


def test_another_try_has_the_same_request_also_when_it_is_in_the_next_partition(service: Service) -> None:
    service.accept(*long_items("a", "b"))
    service.ledger.execute("UPDATE item SET state = 'failed', waiting_since = NULL")
    with process.database().transaction() as connection:
        redo.redo(connection, [1])
        connection.exec_driver_sql(f"SELECT setval('item_id', {PARTITION_ITEMS + 1})")
        make_partitions(connection)
        redo.redo(connection, [2])
    asked = service.ledger.asked()
    assert (asked[3], asked[PARTITION_ITEMS + 2]) == (asked[1], asked[2])
    own = service.ledger.fetch_one("SELECT body_group FROM request WHERE item_id = %s", PARTITION_ITEMS + 2)
    assert own["body_group"] is None, "the group goes with its partition"
    service.finish()
    assert service.ledger.states("item") == ["redone", "redone", "succeeded", "succeeded"]


def test_the_same_content_in_another_order_of_fields_is_the_same_item(service: Service) -> None:
    first, second = long_items("a", "b")
    service.accept(first, second)
    again = {**first, "params": dict(reversed(list(params(f"{text_of('a')} {LONG}").items())))}
    assert service.accept(again)["known"] == 1
    assert service.accept({**first, "params": params("another")})["rejected"] != []


def test_its_page_shows_what_it_asks_or_why_it_can_not(service: Service) -> None:
    service.accept(*long_items("a", "b"))

    def shown() -> str:
        with process.database().transaction() as connection:
            body = item_life.body(connection, 1)
        assert body is not None
        return body.params

    assert LONG in shown()
    service.ledger.execute(DAMAGED)
    assert shown().startswith("request_group 1: it can't be decompressed")


def test_a_strict_budget_holds_what_nothing_bounds_in_a_group_too(service: Service) -> None:
    picture = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    blocks = [picture, {"type": "text", "text": LONG}]
    budget(nano=100 * DOLLAR, strict=True)
    service.accept(
        item("picture", params=params() | {"messages": [{"role": "user", "content": blocks}]}), *long_items("b")
    )
    assert groups(service) == [1]
    pack()
    assert [service.ledger.item(key)["state"] for key in ("picture", "b")] == ["held", "batched"]


def test_a_purged_request_leaves_its_group_and_the_others_stay(service: Service) -> None:
    service.accept(*long_items("a", "b", "c"))
    service.finish()
    service.ledger.execute("UPDATE item SET state = 'failed' WHERE id = 1")
    with process.database().transaction() as connection:
        redo.redo(connection, [1])
    asked = service.ledger.asked()
    read_command(app, "purge", "--key", "a", "--cancel", "--yes", "--json")
    assert text_of("a") not in "".join(service.ledger.group_texts())
    assert {own for item_id, own in service.ledger.asked().items() if item_id in (2, 3)} == {asked[2], asked[3]}


def test_another_try_that_is_not_purged_keeps_what_it_asks(service: Service) -> None:
    service.accept(*long_items("a", "b"))
    service.ledger.execute("UPDATE item SET state = 'failed', waiting_since = NULL WHERE id = 1")
    with process.database().transaction() as connection:
        redo.redo(connection, [1])
        asked = requests.read_requests(connection, [3]).texts[3]
        requests.forget(connection, [1])
    assert service.ledger.asked()[3] == asked.decode()
    assert text_of("a") not in "".join(service.ledger.group_texts())


def test_nothing_is_purged_of_a_damaged_group_alone_since_what_others_ask_may_be_restored(service: Service) -> None:
    service.accept(*long_items("a", "b"))
    kept = service.ledger.fetch_one("SELECT packed FROM request_group")
    service.ledger.execute(DAMAGED)
    refused = CliRunner().invoke(app, ("purge", "--key", "a", "--cancel", "--yes")).exception
    assert isinstance(refused, DamagedGroup)
    assert "request_group 1 can't be read" in str(refused)
    assert "restore its row from a backup, or delete it" in str(refused)
    assert groups(service) == [1]
    assert service.ledger.states("item") == ["waiting", "waiting"]
    service.ledger.execute("UPDATE request_group SET packed = %s", kept["packed"])
    read_command(app, "purge", "--key", "a", "--cancel", "--yes")
    assert text_of("a") not in "".join(service.ledger.group_texts())
    assert text_of("b") in service.ledger.asked()[2]


def test_a_damaged_group_of_which_all_is_purged_goes(service: Service) -> None:
    service.accept(*long_items("a", "b"))
    service.ledger.execute(DAMAGED)
    with process.database().transaction() as connection:
        requests.forget(connection, [1, 2])
    assert groups(service) == []
