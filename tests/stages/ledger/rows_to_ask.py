"""Rows that the ledger is asked about: an item with its outcome, items that wait, a batch on its way."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from overnight_models.ledger.operators import item_views
from overnight_models.ledger.operators.item_views import Wanted
from overnight_models.ledger.pack import pack
from overnight_models.ledger.submit import facts, submit
from overnight_workers import process

NOW = datetime(2026, 11, 29, tzinfo=UTC)
NOBODY = 10**12
"""The number of no row."""


def final_item(connection: Connection, key: str = "first contract 0") -> int:
    """An item that has its outcome."""
    (newest,) = item_views.items(connection, Wanted(key=key, state="succeeded"), limit=1)
    return newest.id


def waiting_source(connection: Connection) -> pack.Waiting:
    (source,) = pack.waiting(connection)
    return source


def packed(connection: Connection) -> None:
    packed = pack.pack(connection, waiting_source(connection), process.prices(), max_items=100, max_bytes=10_000_000)
    assert packed.items


def claimed(connection: Connection, token: str = "a token") -> submit.Claim:
    limits = {"default": 1_000}
    claim = submit.claim(connection, token=token, owner=1, lease_s=60, queue_limits=limits)
    assert claim is not None
    return claim


def opened(connection: Connection, claim: submit.Claim, api_id: str = "msgbatch_a") -> None:
    submit.set_workspace(connection, claim.submission_id, "wrkspc_a")
    assert submit.send(connection, claim.submission_id, items=claim.items, create_timeout_s=60, allowance_s=60)
    assert submit.authorize_last_bytes(connection, claim.submission_id, margin_s=1)
    facts.note_api_id(connection, claim.submission_id, api_id, NOW, None)
    assert facts.open_submission(connection, claim.submission_id)
