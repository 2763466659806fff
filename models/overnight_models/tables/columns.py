"""What the tables are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Identity, Text, text
from sqlmodel import Field, SQLModel

from overnight_models.states import Life


def known_state(life: Life) -> CheckConstraint:
    """The constraint that a row is in a state of its life."""
    return CheckConstraint(life.check, name=f"{life.noun}_state_is_known")


def new_id() -> int | None:
    """A bigint given by the database."""
    column: int | None = Field(
        default=None, primary_key=True, sa_type=BigInteger, sa_column_args=(Identity(always=True),)
    )
    return column


def by_item() -> int:
    """A bigint key given by another table: an item's id, or a submission's."""
    column: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    return column


def big(**more: Any) -> Any:
    """A bigint."""
    return Field(sa_type=BigInteger, **more)


def long_text(**more: Any) -> Any:
    """A text of any length."""
    return Field(sa_type=Text, **more)


def zero() -> int:
    """A count that is 0 unless told."""
    column: int = Field(sa_column_kwargs={"server_default": "0"})
    return column


def now() -> datetime:
    """The database's time of the insert."""
    column: datetime = Field(sa_column_kwargs={"server_default": text("now()")})
    return column


class Table(SQLModel):
    """Base of every table: names are the words of models/README.md."""

    __tablename__: ClassVar[Any]
