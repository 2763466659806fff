"""Inbox and relay with PgBouncer in transaction mode before the product's database."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from overnight_models.wire import inbox_migrations
from overnight_models.wire.inbox import InboxTable
from overnight_producers import Overnight
from overnight_workers.configuration.relay_settings import RelaySettings
from overnight_workers.relay.relay import Relay
from tests.driving import Service, params
from tests.faults.pooler import PROGRAM, running_pooler

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs PgBouncer (Debian: apt-get install pgbouncer)")

SHOP = "pooled_shop"


@pytest.fixture
def pooled(postgres: str) -> Iterator[str]:
    """A product's database by its pooler, which has two connections to it for everybody."""
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {SHOP}".encode())
        with psycopg.connect(f"{postgres.rpartition('/')[0]}/{SHOP}") as connection:
            connection.execute(inbox_migrations.script(inbox_migrations.sql(InboxTable())).encode())
        with running_pooler(postgres, "transaction", default_pool_size="2") as url:
            yield make_url(url).set(database=SHOP).render_as_string(hide_password=False)
        admin.execute(f"DROP DATABASE {SHOP} WITH (FORCE)".encode())


def test_in_transaction_mode_what_is_committed_is_taken_on_once_by_two_relays(service: Service, pooled: str) -> None:
    overnight = Overnight(service.redis_url)
    engine = sa.create_engine(
        pooled.replace("postgresql://", "postgresql+psycopg://"), connect_args={"prepare_threshold": None}
    )
    relays = [Relay("shop", RelaySettings(database_url=pooled)) for _ in range(2)]
    plain = psycopg.connect(pooled, prepare_threshold=None)
    for n in range(40):  # psycopg would prepare a statement at its fifth time, and PgBouncer change its session
        with Session(engine) as session, session.begin():
            overnight.enqueue(params(f"s{n}"), key=f"s{n}", session=session)
        overnight.enqueue(params(f"p{n}"), key=f"p{n}", session=plain)
        plain.commit() if n % 4 else plain.rollback()
        relays[n % 2].turn()
        relays[n % 2].tell(at_once=True)
    while any([relay.turn() for relay in relays]):  # noqa: C419 - each of them has its turn
        pass
    keys = {row["key"] for row in service.ledger.fetch_all("SELECT key FROM request")}
    assert keys == {f"s{n}" for n in range(40)} | {f"p{n}" for n in range(40) if n % 4}
    plain.close()
    engine.dispose()
    overnight.close()
    for relay in relays:
        relay.close()
