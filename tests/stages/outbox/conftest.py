"""A product's own database beside the ledger's, with its orders and the inbox table, as the command prints it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from typer.testing import CliRunner

from overnight_producers import Overnight
from overnight_workers.cli import app
from overnight_workers.configuration.relay_settings import RelaySettings
from overnight_workers.relay.relay import Relay
from tests.driving import Service


def printed(*words: str) -> str:
    """What `overnight inbox` prints."""
    done = CliRunner().invoke(app, ["inbox", *words])
    assert done.exit_code == 0, done.output
    return done.output


def engine_of(shop: str) -> sa.Engine:
    """SQLAlchemy's engine of a product."""
    return sa.create_engine(shop.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool)


@pytest.fixture
def empty_shop(postgres: str) -> Iterator[str]:
    """The URL of a new database, without anything in it."""
    name = f"shop_{uuid4().hex[:8]}"
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield f"{postgres.rpartition('/')[0]}/{name}"
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def shop(empty_shop: str) -> str:
    """The URL of a product's database."""
    with psycopg.connect(empty_shop) as connection:
        connection.execute("CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sku text)")
        connection.execute(printed("sql").encode())
    return empty_shop


@pytest.fixture
def overnight(service: Service) -> Iterator[Overnight]:
    """A product's side."""
    overnight = Overnight(service.redis_url)
    yield overnight
    overnight.close()


@pytest.fixture
def relay(shop: str, service: Service) -> Iterator[Relay]:
    relay = Relay("shop", RelaySettings(database_url=shop))
    yield relay
    relay.close()


def left(shop: str) -> list[dict[str, Any]]:
    """The rows of the inbox."""
    with psycopg.connect(shop, row_factory=psycopg.rows.dict_row) as connection:
        return connection.execute("SELECT * FROM overnight_inbox ORDER BY id").fetchall()


def keys(service: Service) -> list[str]:
    """Of the items in the ledger, in their order."""
    return [row["key"] for row in service.ledger.fetch_all("SELECT key FROM request ORDER BY item_id")]
