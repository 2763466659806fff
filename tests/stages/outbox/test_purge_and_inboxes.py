"""A purge says what of it lies in the inboxes of products, which it doesn't reach."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from overnight_producers import Item, Overnight
from overnight_workers.cli import app
from overnight_workers.relay.relay import Relay
from tests.driving import Service, params
from tests.stages.outbox.conftest import left


@pytest.fixture(autouse=True)
def configured(service: Service, shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay is one of the configuration."""
    monkeypatch.setenv("OVERNIGHT_RELAYS", json.dumps({"shop": {"database_url": shop}}))
    service.restart()


def purge(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["purge", *words])
    return done.exit_code, done.output


def enqueued(overnight: Overnight, shop: str, *keys: str, **more: Any) -> None:
    with psycopg.connect(shop) as connection:
        items = (Item(params=params(key), key=key, **more) for key in keys)
        overnight.enqueue_many(items, session=connection)


def test_what_a_relay_has_not_taken_on_is_counted_and_said(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    enqueued(overnight, shop, "a", "b", tenant="acme")
    enqueued(overnight, shop, "c", tenant="other")
    code, said = purge("--tenant", "acme", "--dry-run")
    assert (code, "kept: 2 items in the inbox of relay shop: purge again when" in " ".join(said.split())) == (1, True)
    code, said = purge("--key", "a", "--yes", "--json")
    kept = json.loads(said)
    assert (code, kept["kept"]) == (1, 1)
    assert kept["inboxes"] == [{"relay": "shop", "waiting": 1, "aside": 0, "why_unknown": None}]
    assert len(left(shop)) == 2
    relay.turn()
    service.finish()
    code, said = purge("--tenant", "acme", "--yes", "--json")
    assert (code, json.loads(said)["items"], json.loads(said)["inboxes"]) == (0, 2, [])


def test_what_was_put_aside_says_how_it_is_deleted(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    enqueued(overnight, shop, "a", tenant="acme")
    with psycopg.connect(shop) as connection:
        connection.execute("UPDATE overnight_inbox SET error = 'no lane'")
    code, said = purge("--tenant", "acme", "--dry-run")
    assert code == 1
    assert "kept: 1 item put aside in the inbox of relay shop" in " ".join(said.split())
    assert "`overnight inbox drop shop` deletes them" in " ".join(said.split())


def test_an_inbox_that_can_not_be_read_from_here_is_unknown_and_hides_no_other(
    shop: str, service: Service, overnight: Overnight, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueued(overnight, shop, "a", tenant="acme")
    away = {"database_url": "postgresql://relay:planted@127.0.0.1:1/shop"}
    relays = {"shop": {"database_url": shop}, "away": away, "elsewhere": {"database_url": "env:NOT_HERE"}}
    monkeypatch.setenv("OVERNIGHT_RELAYS", json.dumps(relays))
    service.restart()
    code, said = purge("--tenant", "acme", "--dry-run", "--json")
    inboxes = {inbox["relay"]: inbox for inbox in json.loads(said)["inboxes"]}
    assert (code, set(inboxes)) == (1, {"away", "elsewhere", "shop"})
    assert inboxes["shop"]["waiting"] == 1
    assert "127.0.0.1:1" in inboxes["away"]["why_unknown"]
    assert inboxes["elsewhere"]["why_unknown"] == "set NOT_HERE"
    assert "planted" not in said
