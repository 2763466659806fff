"""Answers lie in groups: everybody reads them as if each lay alone, and a damaged group costs only its own items."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson
import pytest
from typer.testing import CliRunner

from overnight_models.ledger import answer
from overnight_models.ledger.bodies import groups
from overnight_models.ledger.bodies.packed import read_group
from overnight_models.ledger.operators import item_life, troubles
from overnight_producers import Overnight
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.stages import rescue
from overnight_workers.stages.deliver.deliver import deliver
from tests.driving import Service, callback, item, read_command
from tests.stages.ledger.recording import recording

KEYS = [f"k{n}" for n in range(12)]


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four answers in a group."""
    monkeypatch.setattr(groups, "READ_ALONE", groups.Most(4, 1_000_000))


def numbers(service: Service) -> list[int]:
    """The groups of answers."""
    return [row["id"] for row in service.ledger.fetch_all("SELECT id FROM answer_group ORDER BY id")]


def damage(service: Service, number: int) -> None:
    """A disk loses a byte of a group."""
    service.ledger.execute("CREATE TEMP TABLE backup AS SELECT * FROM answer_group WHERE id = %s", number)
    service.ledger.execute(
        "UPDATE answer_group SET packed = set_byte(packed, 99, 255 - get_byte(packed, 99)) WHERE id = %s", number
    )


def restore(service: Service) -> None:
    """Somebody restores it."""
    service.ledger.execute(
        "UPDATE answer_group SET packed = backup.packed FROM backup WHERE backup.id = answer_group.id"
    )


def texts(service: Service) -> dict[str, Any]:
    """The answers that the ledger has, by key."""
    keys = {row["id"]: row["key"] for row in service.ledger.fetch_all("SELECT item_id AS id, key FROM request")}
    return {keys[item_id]: orjson.loads(message) for item_id, message in service.ledger.answers().items()}


def delivered(service: Service, queue: str = "shop") -> dict[str, Any]:
    """The answers in the product's queue, by key."""
    outcomes = [orjson.loads(message["body"])[0][0] for message in service.queue(queue)]
    return {outcome["key"]: outcome["message"] for outcome in outcomes}


def alarms() -> list[int]:
    """The groups that the alarm is about."""
    with process.database().transaction() as connection:
        return [group.group_id for group in troubles.troubles(connection).damaged]


@pytest.mark.usefixtures("small_groups")
def test_everybody_reads_the_answers_of_a_chunk_that_lie_in_groups(service: Service, product: Overnight) -> None:
    service.accept(*(item(key, callback=callback()) for key in KEYS), run="r")
    service.round()
    assert len(numbers(service)) == 3
    assert service.ledger.fetch_one("SELECT count(message) AS n FROM outcome")["n"] == 0
    whole = texts(service)
    assert len({message["id"] for message in whole.values()}) == 12
    assert {outcome.key: outcome.message for outcome in product.outcomes(run="r")} == whole
    lines = read_command(app, "outcomes", "--run", "r").splitlines()
    assert {(line := orjson.loads(text))["key"]: line["message"] for text in lines} == whole
    for key in KEYS[:2]:
        with process.database().transaction() as connection:
            item_id = service.ledger.item(key)["id"]
            row, body = answer.read_item(connection, item_id), item_life.body(connection, item_id)
        assert row is not None
        assert body is not None
        assert orjson.loads(row.message or b"") == orjson.loads(body.message or "") == whole[key]
    service.ledger.give_rows()
    service.ledger.execute("UPDATE delivery SET state = 'due', due_at = now()")
    service.empty()
    deliver()
    assert delivered(service) == whole


def test_answers_of_several_tenants_share_no_group(service: Service) -> None:
    service.accept(*(item(f"{tenant}{n}", tenant=tenant) for tenant in ("a", "b") for n in range(5)), item("alone"))
    service.finish()
    rows = service.ledger.fetch_all(
        """SELECT DISTINCT outcome.body_group, tenant FROM outcome JOIN request USING (item_id)
           WHERE outcome.body_group IS NOT NULL"""
    )
    assert len(rows) == len({row["body_group"] for row in rows}) == 2
    assert service.ledger.fetch_one("SELECT count(message) AS n FROM outcome")["n"] == 1, "it isn't worth a group"
    assert len(texts(service)) == 11


def test_no_answer_is_put_in_a_group_while_workers_may_run_that_can_not_read_groups(
    service: Service, product: Overnight
) -> None:
    service.ledger.execute("UPDATE deployment SET bodies_in_groups = false")
    service.accept(*(item(key) for key in KEYS[:6]), run="r")
    service.finish()
    assert numbers(service) == []
    service.ledger.execute("UPDATE deployment SET bodies_in_groups = true")
    service.accept(*(item(key) for key in KEYS[6:]), run="r")
    service.finish()
    assert len(numbers(service)) == 1
    assert {outcome.key: outcome.message for outcome in product.outcomes(run="r")} == texts(service)


@pytest.mark.usefixtures("small_groups", "apart")
def test_a_damaged_group_costs_only_its_own_items_and_is_an_alarm_until_it_is_restored(
    service: Service, product: Overnight
) -> None:
    service.configure(lane={"max_deliveries": 1})
    service.answered(*(item(key, callback=callback()) for key in KEYS))
    whole = texts(service)
    second = numbers(service)[1]
    lost = {
        row["key"]: row["item_id"]
        for row in service.ledger.fetch_all(
            "SELECT key, item_id FROM request JOIN outcome USING (item_id) WHERE outcome.body_group = %s", second
        )
    }
    damage(service, second)
    deliver()
    assert delivered(service) == {key: message for key, message in whole.items() if key not in lost}
    dead = service.ledger.fetch_all("SELECT error FROM delivery WHERE state = 'dead'")
    assert len(dead) == len(lost) == 4
    assert f"answer_group {second}: " in dead[0]["error"], "the operator hears which row it is"
    assert alarms() == [second]

    with process.database().transaction() as connection:
        read = answer.read_item(connection, min(lost.values()))
    for outcome in (read, product.outcome(key=min(lost))):
        assert outcome is not None
        assert (outcome.ok, outcome.problem, outcome.message) == (False, "errored", None), (
            "it isn't shown as if it were fine"
        )

    restore(service)
    rescue._read_damaged()
    assert alarms() == []
    CliRunner().invoke(app, ["replay", "--json"])
    service.empty()
    deliver()
    assert delivered(service) == {key: whole[key] for key in lost}


def test_one_outcome_by_its_key_is_read_by_two_statements_with_its_group(service: Service, product: Overnight) -> None:
    service.accept(*(item(key) for key in KEYS))
    service.finish()
    whole = texts(service)
    with recording() as recorded:
        service.restart()
        outcome = product.outcome(key="k5")
    assert outcome is not None
    assert outcome.message == whole["k5"]
    asked = {file: len(statements) for (file, _), statements in recorded.statements.items()}
    assert asked == {"answer.py": 2, "operators/pulse.py": 1}


def test_a_group_that_is_gone_is_damaged_too(service: Service, product: Overnight) -> None:
    service.accept(*(item(key) for key in KEYS), run="r")
    service.finish()
    service.ledger.execute("DELETE FROM answer_group")
    said = [orjson.loads(line) for line in read_command(app, "outcomes", "--run", "r").splitlines()]
    assert {(document["ok"], document["problem"]) for document in said} == {(False, "errored")}
    assert all("isn't there" in document["detail"] for document in said)
    by_key = product.outcome(key=KEYS[0])
    assert by_key is not None
    assert "isn't there" in (by_key.detail or "")


def test_who_follows_has_its_own_copy_of_the_answer(service: Service) -> None:
    asked = [item(key, "The same to all", callback=callback()) for key in KEYS]
    service.accept(*asked)
    again = [line | {"callback": callback("crm"), "if_known": "deliver", "id": str(uuid4())} for line in asked]
    service.accept(*again)
    service.finish()
    _, followers = numbers(service)
    own = service.ledger.fetch_all("SELECT DISTINCT body_group FROM outcome JOIN follower USING (item_id)")
    assert [row["body_group"] for row in own] == [followers], "its answer is kept as long as its own item"
    assert delivered(service) == delivered(service, "crm")
    assert len(delivered(service)) == 12
    sizes = service.ledger.fetch_all("SELECT DISTINCT size FROM every_delivery")
    assert min(row["size"] for row in sizes) > 2_500, "each delivery knows about how large it is"


def test_a_purged_answer_is_nowhere_in_its_group_and_the_others_of_it_are_read_as_before(service: Service) -> None:
    service.accept(*(item(key, tenant="acme") for key in KEYS))
    service.finish()
    whole, item_id = texts(service), service.ledger.item("k3")["id"]
    assert item_id in service.ledger.answers()
    name = whole.pop("k3")["id"]
    done = CliRunner().invoke(app, ["purge", "--key", "k3", "--yes", "--json"])
    assert done.exit_code == 0, done.output
    answers = {key: message for key, message in texts(service).items() if not key.startswith("purged:")}
    assert answers == whole
    (group,) = service.ledger.fetch_all("SELECT packed FROM answer_group")
    assert name.encode() not in b"".join(read_group(group["packed"]))
