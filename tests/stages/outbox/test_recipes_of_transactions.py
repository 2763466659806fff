"""The recipes of producers/README.md for a product's own transaction, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from overnight_producers import Overnight, task
from tests.driving import params
from tests.stages.outbox.conftest import engine_of

README = Path(__file__).parents[3] / "producers" / "README.md"


def recipe(word: str) -> str:
    """The block of the section that has this word."""
    section = README.read_text().split("\n## In your own transaction\n")[1].split("\n## ")[0]
    (block,) = [block for block in re.findall(r"```py\n(.*?)```", section, re.DOTALL) if word in block]
    return str(block)


def names(overnight: Overnight) -> dict[str, Any]:
    return {"overnight": overnight, "params": params(), "save": task("shop.save", queue="shop")}


def assert_placed(shop: str) -> None:
    """There is an order, and its item."""
    with psycopg.connect(shop) as connection:
        assert connection.execute("SELECT sku FROM orders").fetchall() == [("A1",)]
        ((items,),) = connection.execute("SELECT items FROM overnight_inbox").fetchall()
    assert '"order:A1"' in items


def test_sqlalchemy(shop: str, overnight: Overnight) -> None:
    class Base(DeclarativeBase):
        pass

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(sa.Identity(always=True), primary_key=True)
        sku: Mapped[str]

    exec(recipe("Session("), names(overnight) | {"Session": Session, "engine": engine_of(shop), "Order": Order})
    assert_placed(shop)


def test_psycopg(shop: str, overnight: Overnight) -> None:
    exec(recipe("psycopg.connect"), names(overnight) | {"psycopg": psycopg, "url": shop})
    assert_placed(shop)


def test_django(shop: str, overnight: Overnight) -> None:
    pytest.importorskip("django", reason="needs Django (dependency group dev)")
    from tests.stages.outbox.django_shop import connected

    with connected(shop):
        from django.db import models

        class Order(models.Model):  # type: ignore[misc]  # Django has no types here
            sku = models.TextField()

            class Meta:
                app_label, db_table = "shop", "orders"

        exec(recipe("transaction.atomic"), names(overnight) | {"Order": Order})
    assert_placed(shop)
