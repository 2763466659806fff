"""The recipes of producers/README.md for a product's own transaction, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from celery import Celery
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from overnight_producers import Outcome, Overnight, callback
from tests.driving import Service, params
from tests.stages.outbox.conftest import engine_of

README = Path(__file__).parents[3] / "producers" / "README.md"


def recipe(word: str) -> str:
    """The block of the section that has this word."""
    section = README.read_text().split("\n## In your own transaction\n")[1].split("\n## ")[0]
    (block,) = [block for block in re.findall(r"```py\n(.*?)```", section, re.DOTALL) if word in block]
    return str(block)


def names(overnight: Overnight, service: Service) -> dict[str, Any]:
    """What a product has where the recipe stands: its callback is a task of its own app."""
    app = Celery("shop", broker=service.redis_url, set_as_current=False)
    app.conf.task_routes = {"shop.*": {"queue": "shop"}}
    return {
        "overnight": overnight,
        "params": params(),
        "save": app.task(name="shop.save", shared=False)(callback(_save)),
    }


def _save(outcome: Outcome, *, sku: str) -> None: ...


def assert_placed(shop: str) -> None:
    """There is an order, and its item."""
    with psycopg.connect(shop) as connection:
        assert connection.execute("SELECT sku FROM orders").fetchall() == [("A1",)]
        ((items,),) = connection.execute("SELECT items FROM overnight_inbox").fetchall()
    assert '"order:A1"' in items


def test_sqlalchemy(shop: str, overnight: Overnight, service: Service) -> None:
    class Base(DeclarativeBase):
        pass

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(sa.Identity(always=True), primary_key=True)
        sku: Mapped[str]

    exec(
        recipe("Session("), names(overnight, service) | {"Session": Session, "engine": engine_of(shop), "Order": Order}
    )
    assert_placed(shop)


def test_psycopg(shop: str, overnight: Overnight, service: Service) -> None:
    exec(recipe("psycopg.connect"), names(overnight, service) | {"psycopg": psycopg, "url": shop})
    assert_placed(shop)


def test_django(shop: str, overnight: Overnight, service: Service) -> None:
    pytest.importorskip("django", reason="needs Django (dependency group dev)")
    from tests.stages.outbox.django_shop import connected

    with connected(shop):
        from django.db import models

        class Order(models.Model):  # type: ignore[misc]  # Django has no types here
            sku = models.TextField()

            class Meta:
                app_label, db_table = "shop", "orders"

        exec(recipe("transaction.atomic"), names(overnight, service) | {"Order": Order})
    assert_placed(shop)
