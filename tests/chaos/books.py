"""The books after a run: who was accepted, what was paid, who was told; from the ledger, the API's meter and Redis."""

from __future__ import annotations

import base64
import sqlite3
from typing import Any, Final

import orjson
import redis

from overnight_models.ledger.documents import delivery_id
from overnight_models.wire.message import WEBHOOK
from overnight_workers.cli import app
from tests.chaos.life import World
from tests.chaos.scenario import Scenario
from tests.chaos.webhook_product import Product
from tests.driving import Service, read_command
from tests.kept_sessions import APPLICATION
from tests.service.ledger import Json
from tests.sums import Printed, assert_sums_are_right, printed
from tests.waiting import wait_until

_TO_A_WEBHOOK: Final = f"""
    item_id IN (
        SELECT item.id FROM item JOIN target ON target.id = item.target_id WHERE starts_with(broker, '{WEBHOOK}')
    )
"""
"""The condition: the outcome of an item goes to a webhook."""


def assert_books_are_right(service: Service, world: World, scenario: Scenario) -> Json:
    """Every item in one state and final, paid as often as the ledger says and told as often as it must be; no rest."""
    _items_are_final(service, scenario)
    _money_is_right(service, scenario)
    _budgets_are_right(service)
    _everybody_was_told(service, world, scenario)
    assert_sums_are_right(service.ledger.fetch_all)
    _nothing_is_stuck(service)
    return {
        "items": len(scenario.ends),
        "billed": service.api.meter()["billed"],
    }


def other_connections(service: Service) -> list[Json]:
    """Who is connected beside the one who looks."""
    return service.ledger.fetch_all(
        """
        SELECT * FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
          AND application_name <> %s
        """,
        APPLICATION,
    )


def _items_are_final(service: Service, scenario: Scenario) -> None:
    rows = service.ledger.fetch_all(
        """
        SELECT request.key, item.state, item.purged,
               EXISTS (SELECT FROM follower WHERE follower.item_id = item.id) AS follows
        FROM item JOIN request ON request.item_id = item.id
        """
    )
    assert len(rows) == service.ledger.fetch_one("SELECT count(*) AS n FROM item")["n"]
    redone = sum(row["state"] == "redone" for row in rows)
    assert redone == scenario.redone, "each is tried again once by each word"
    last = [row for row in rows if row["state"] != "redone"]
    own = {row["key"]: row["state"] for row in last if not (row["follows"] or row["purged"])}
    assert own.keys() == scenario.ends.keys(), "accepted, and once per key"
    assert sum(row["purged"] for row in rows) == scenario.purged
    last = [row for row in last if not row["purged"]]
    assert len(last) == len(own) + scenario.followers, "and once per wish of somebody else"
    wrong = {row["key"]: row["state"] for row in last if row["state"] not in scenario.ends[row["key"]]}
    assert wrong == {}, f"they should have ended as {scenario.ends}"
    assert [row for row in last if row["state"] != own[row["key"]]] == [], "who follows ends as the other does"
    verdicts = service.ledger.fetch_all("SELECT verdict FROM inbox")
    said = sum(orjson.loads(row["verdict"])["accepted"] for row in verdicts if row["verdict"] is not None)
    assert said == len(own) + scenario.redone_by_message + scenario.purged, "products were told what was accepted"
    outcomes = service.ledger.fetch_one("SELECT count(*) AS n, count(DISTINCT item_id) AS items FROM outcome")
    assert outcomes["n"] == outcomes["items"] == len(rows), "one outcome an item"


def _money_is_right(service: Service, scenario: Scenario) -> None:
    meter = service.api.meter()
    own = service.ledger.fetch_one(
        """
        SELECT count(*) AS bills, count(DISTINCT item_id) AS items, count(*) FILTER (WHERE NOT kept) AS doubles,
               coalesce(sum(cost_nano), 0)::bigint AS nano, coalesce(sum(realtime_nano), 0)::bigint AS realtime_nano
        FROM bill
        """
    )
    doubts = service.ledger.fetch_one(
        "SELECT count(*) AS n, coalesce(sum(cost_nano), 0)::bigint AS nano FROM maybe_billed"
    )
    more = meter["billed"] - own["bills"] - scenario.unseen
    assert 0 <= more <= doubts["n"], "the API billed what the ledger says, but for what may have been billed"
    bill = printed(read_command(app, "costs", "--json"))["all"]
    service.restart()  # whoever looks at costs leaves no connection
    assert bill == Printed(own["bills"], own["nano"], own["realtime_nano"], own["doubles"]), "`overnight costs` says it"
    if not scenario.unseen:
        for ours, theirs in ((bill.nano, meter["nano"]), (bill.realtime_nano, meter["realtime_nano"])):
            assert 0 <= theirs - ours <= doubts["nano"], "to the nano-dollar"
    assert own["doubles"] <= scenario.doubles, "paid twice"
    assert own["bills"] - own["doubles"] == own["items"], "and a double is shown as one"
    _what_was_paid_is_kept(service, own["items"])
    _requests_are_known(service, meter["requests"], own["doubles"])


def _what_was_paid_is_kept(service: Service, paid: int) -> None:
    """paid: how many items have a bill."""
    kept = service.ledger.fetch_one(
        """
        SELECT count(*) AS n FROM outcome
        WHERE coalesce(message, body_group::text) IS NOT NULL AND item_id NOT IN (SELECT item_id FROM follower)
        """
    )["n"]
    purged = service.ledger.fetch_one(
        "SELECT count(*) AS n FROM item WHERE purged AND id IN (SELECT item_id FROM bill)"
    )["n"]
    assert kept == paid - purged, "what was paid is there"


def _requests_are_known(service: Service, requests: int, doubles: int) -> None:
    """requests: how many the API took in batches."""
    sent = service.ledger.fetch_one(
        "SELECT coalesce(sum(items), 0)::int AS n FROM submission WHERE api_id IS NOT NULL"
    )["n"]
    assert requests == sent, "every create that the API accepted is known"
    tried = service.ledger.fetch_one(
        """
        SELECT coalesce(sum(item.attempts), 0)::int AS n FROM item
        JOIN whole_outcome AS outcome ON outcome.item_id = item.id
        WHERE coalesce(outcome.problem, '') NOT IN ('rejected', 'too_long', 'too_late') AND outcome.via = 'batch'
        """
    )["n"]
    assert requests == tried + doubles, "and each request was sent as often as it was tried"


def _budgets_are_right(service: Service) -> None:
    """What was set before anything was packed has spent what was billed, and reserves only for what may turn up."""
    billed = service.ledger.fetch_one("SELECT coalesce(sum(cost_nano), 0)::bigint AS nano FROM bill")["nano"]
    booked = service.ledger.fetch_all(
        """
        SELECT sum(spent_nano)::bigint AS spent, sum(reserved_nano) FILTER (WHERE submission_id IS NULL) AS reserved,
               coalesce(sum(reserved_nano) FILTER (WHERE submission.state = 'done'), 0) AS turned_up
        FROM booking LEFT JOIN submission ON submission.id = submission_id
        WHERE budget_id IN (SELECT id FROM budget WHERE chain_id IS NULL) GROUP BY budget_id
        """
    )
    of_chains = (
        "SELECT sum(reserved_nano)::bigint AS n FROM booking JOIN budget ON budget.id = budget_id"
        " WHERE chain_id IS NOT NULL"
    )
    assert not service.ledger.fetch_one(of_chains)["n"], "nothing of a chain is under way any more"
    if service.ledger.fetch_all("SELECT FROM maybe_billed"):
        # what may have been billed counts as spent, all that was reserved for it
        assert [(row["reserved"], row["spent"] >= billed) for row in booked] in ([], [(0, True)])
        return
    assert booked in ([], [{"spent": billed, "reserved": 0, "turned_up": 0}])


def _everybody_was_told(service: Service, world: World, scenario: Scenario) -> None:
    wishes = service.ledger.fetch_all(
        f"""
        SELECT request.key, request.receipt, coalesce(redo.number, 0) AS redos, follower.item_id AS follows
        FROM request LEFT JOIN redo USING (item_id) LEFT JOIN follower USING (item_id)
        WHERE (callback IS NOT NULL OR callback_id IS NOT NULL) AND NOT request.{_TO_A_WEBHOOK.strip()}
          AND NOT EXISTS (SELECT FROM redo later WHERE later.of_item_id = request.item_id AND later.asked_again > 0)
        """
    )
    due = {
        delivery_id(row["receipt"], row["redos"])
        for row in wishes
        if row["key"] not in scenario.canceled or row["follows"] is not None
    }
    deliveries = [_delivered(message) for message in _messages(service, world)]
    assert set(deliveries) == due
    assert service.ledger.fetch_all("SELECT item_id, state FROM every_delivery WHERE state <> 'delivered'") == []


def assert_webhooks_are_right(service: Service, product: Product) -> None:
    """What is due came with one delivery id; what was acknowledged never comes again once that is stored."""
    receipts = service.ledger.fetch_all(f"SELECT receipt FROM request WHERE {_TO_A_WEBHOOK}")
    due = {delivery_id(row["receipt"]) for row in receipts}
    assert set(product.came) == due == product.taken
    assert product.in_vain == [], "they came when the ledger had their acknowledgement already"


def _messages(service: Service, world: World) -> list[bytes]:
    messages: list[bytes] = []
    with redis.Redis.from_url(service.redis_url) as client:
        for queue in ("shop", "crm", "full"):
            waiting: Any = client.lrange(queue, 0, -1)
            messages += waiting
    other = world.home / "broker.sqlite"
    if other.exists():
        with sqlite3.connect(other) as broker:
            messages += [row[0].encode() for row in broker.execute("SELECT payload FROM kombu_message")]
    return messages


def _delivered(message: bytes) -> str:
    envelope = orjson.loads(message)
    encoded = envelope["properties"].get("body_encoding") == "base64"
    body = base64.b64decode(envelope["body"]) if encoded else envelope["body"]
    document = orjson.loads(body)[0][0]
    assert document["delivery_id"] == envelope["headers"]["id"]
    return str(document["delivery_id"])


def _nothing_is_stuck(service: Service) -> None:
    assert service.ledger.fetch_all("SELECT * FROM submission WHERE lease_until IS NOT NULL AND state <> 'void'") == []
    assert service.ledger.fetch_all("SELECT * FROM inbox WHERE verdict IS NULL") == [], "a message without a word"
    # a busy Postgres takes a moment to see that a process is gone
    wait_until(lambda: not other_connections(service))
    assert service.ledger.fetch_all("SELECT * FROM pg_locks WHERE locktype = 'advisory'") == []
    with redis.Redis.from_url(service.redis_url) as client:
        bells: Any = client.keys("overnight:ringing:*")
        assert [bell for bell in bells if client.pttl(bell) == -1] == [], "a bell that rings for ever"
