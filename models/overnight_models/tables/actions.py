"""Actions: what people did, to how many items, and why; how far those are that are under way."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text

from overnight_models.tables.columns import Table, big, long_text, new_id, now


class Action(Table, table=True):
    """What a person did: who, when, which, how many, why. One of many items is done group by group, by whoever lives.

    Nothing of a request or an answer is in it.
    """

    __tablename__ = "action"
    __table_args__ = (
        CheckConstraint("aborted_by IS NULL OR aborted_at IS NOT NULL", name="who_aborts_does_it_at_a_time"),
        CheckConstraint("done >= 0 AND after_item <= until_item", name="an_action_stays_within_its_items"),
        # said again while it is under way, a wish goes on with what is there
        Index(
            "one_unfinished_action_of_a_wish",
            "name",
            "wish",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: int | None = new_id()
    name: str = long_text()
    """The command: `redo`, `cancel`, `pause`, …"""
    actor: str = long_text()
    """Who did it: a user of the machine, or of Flower."""
    via: str = long_text()
    """`command` or `flower`."""
    reason: str | None = long_text(default=None)
    wish: str = long_text()
    """JSON: which items, lane, batch or budget, and what was said of them."""
    items: int = big(sa_column_kwargs={"server_default": "0"})
    """How many it was about when it began."""
    most_nano: int | None = big(default=None)
    """What it could cost, or save, at the most, when it began; null where it is not about money."""
    done: int = big(sa_column_kwargs={"server_default": "0"})
    """How many items it has changed so far."""
    after_item: int = big(sa_column_kwargs={"server_default": "0"})
    """The last item that it has looked at."""
    until_item: int = big(sa_column_kwargs={"server_default": "0"})
    """The newest item when it began: it does nothing to later ones."""
    began_at: datetime = now()
    stepped_at: datetime = now()
    """When its last group was done; one that stands still is gone on with by the sweep."""
    aborted_at: datetime | None = None
    aborted_by: str | None = long_text(default=None)
    ended_at: datetime | None = None
    removed: str | None = long_text(default=None)
    """JSON: what a purge has removed so far, by kind; null before it began to, and of every other action."""
