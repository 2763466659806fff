"""What came back for items, and its way to their callbacks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Index, SmallInteger, Text, text
from sqlmodel import Field

from overnight_models.states import DELIVERY
from overnight_models.tables.columns import Table, big, by_item, known_state, long_text, now, zero


class Outcome(Table, table=True):
    """What came back for an item, with its bill, priced from its own usage; written once.

    Rows leave out what most have in common; the view `whole_outcome` has it.
    """

    __tablename__ = "outcome"
    __table_args__ = (
        CheckConstraint("ok = (problem IS NULL)", name="an_outcome_is_ok_or_has_a_problem"),
        CheckConstraint("cost_nano >= 0 AND realtime_nano >= 0", name="nothing_costs_less_than_nothing"),
        CheckConstraint("billed OR cost_nano = 0", name="what_is_not_billed_costs_nothing"),
        # few have one; what is fine is in no index but its key's
        Index("outcome_with_problem", "item_id", postgresql_where=text("problem IS NOT NULL")),
        # they are written in the order of their times, so one entry for many pages finds the latest
        Index("outcome_by_time", "finished_at", postgresql_using="brin", postgresql_with={"autosummarize": "on"}),
        {"postgresql_partition_by": "RANGE (item_id)"},
    )
    item_id: int = by_item()
    submission_id: int | None = big(default=None)
    """The submission or the direct claim that answered; null when nothing was sent."""
    finished_at: datetime = now()
    cost_nano: int | None = big(default=None)
    """Null when the model that served it has no price: it is billed, and nobody here knows at what."""
    realtime_nano: int | None = big(default=None)
    input_tokens: int = zero()
    """Not cached ones."""
    cache_write_5m_tokens: int | None = zero()
    """Null, here and in the next ones: 0."""
    cache_write_1h_tokens: int | None = zero()
    cache_read_tokens: int | None = zero()
    output_tokens: int = zero()
    thinking_tokens: int | None = zero()
    """Part of the output tokens."""
    attempts: int = Field(sa_type=SmallInteger)
    ok: bool
    retryable: bool
    billed: bool = Field(sa_column_kwargs={"server_default": "false"})
    via: str | None = long_text()
    """`batch` or `direct`. Null: `batch`."""
    problem: str | None = long_text(default=None)
    detail: str | None = long_text(default=None)
    model: str | None = long_text(default=None)
    """That served it. Null: its number says it, or no model did."""
    api_batch_id: str | None = long_text(default=None)
    """Null where its submission says so."""
    message: str | None = long_text(default=None)
    """JSON: the API's Message, untouched. Null: it lies in a group, there is none, or it isn't kept any more."""
    body_group: int | None = big(default=None)
    body_place: int | None = Field(default=None, sa_type=SmallInteger)
    """Which of its group's it is, from 0."""
    body_size: int | None = None
    """Its bytes, where it lies in a group."""
    handed_over: bool = Field(sa_column_kwargs={"server_default": "false"})
    """Whoever recorded it handed it over at once: unless its delivery has a row, or is in a hand-over, that is done."""
    model_id: int | None = None
    """The number of the model that served it."""


class AnswerGroup(Table, table=True):
    """Many answers, compressed as one value (`ledger.bodies.packed`): of one lane, one tenant, one partition."""

    __tablename__ = "answer_group"
    __table_args__ = (
        CheckConstraint("items > 0", name="a_group_of_answers_has_some"),
        {"postgresql_partition_by": "RANGE (id)"},
    )
    id: int = by_item()
    """The first of its items."""
    items: int = Field(sa_type=SmallInteger)
    packed: bytes


class DamagedGroup(Table, table=True):
    """A group that couldn't be read when its bodies were wanted; the row goes when it is read again."""

    __tablename__ = "damaged_group"
    kind: str = Field(primary_key=True, sa_type=Text)
    """The table of it: `request_group` or `answer_group`."""
    group_id: int = by_item()
    at: datetime = now()
    why: str = long_text()


class Double(Table, table=True):
    """An answer that was billed for an item that had its outcome already. With the outcomes: the view `bill`."""

    __tablename__ = "double"
    __table_args__ = (
        CheckConstraint("cost_nano >= 0 AND realtime_nano >= 0", name="no_double_costs_less_than_nothing"),
        {"postgresql_partition_by": "RANGE (item_id)"},
    )
    item_id: int = by_item()
    submission_id: int = by_item()
    finished_at: datetime = now()
    cost_nano: int | None = big(default=None)
    realtime_nano: int | None = big(default=None)
    input_tokens: int = zero()
    cache_write_5m_tokens: int = zero()
    cache_write_1h_tokens: int = zero()
    cache_read_tokens: int = zero()
    output_tokens: int = zero()
    thinking_tokens: int = zero()
    model: str = long_text()


class HandOver(Table, table=True):
    """Outcomes of one lane for one queue that whoever recorded them hands over now; their deliveries have no rows.

    It goes when the broker has taken all of them, or when each delivery gets its row (`ledger.hand_overs`).
    """

    __tablename__ = "hand_over"
    __table_args__ = (CheckConstraint("items > 0", name="a_hand_over_has_items"),)
    id: int = by_item()
    """The first of its items."""
    last_item: int = big()
    lane_id: int
    target_id: int
    due_at: datetime
    """The deliverer is taken for dead after this."""
    items: int
    size: int = big()
    """About how many bytes their messages have together."""
    item_ids: list[int] = Field(sa_type=ARRAY(BigInteger))


class Delivery(Table, table=True):
    """Handing one outcome to one callback, until it is taken or given up. Some need no row: see `HandOver`."""

    __tablename__ = "delivery"
    __table_args__ = (
        known_state(DELIVERY),
        # by queue first: one whose product stands still must not be waded through to reach another
        Index("delivery_due", "target_id", "due_at", postgresql_where=text("state = 'due'")),
        # the second half hides it from statements that know their rows' ids: since few are ever being sent, the planner
        # would wade through it instead
        Index("delivery_sending", "due_at", postgresql_where=text("state = 'sending' AND due_at IS NOT NULL")),
        Index("delivery_unanswered", "due_at", postgresql_where=text("state = 'awaiting_ack'")),
        Index("delivery_dead", "item_id", postgresql_where=text("state = 'dead'")),
        {"postgresql_partition_by": "RANGE (item_id)"},
    )
    item_id: int = by_item()
    lane_id: int
    target_id: int
    state: str = long_text()
    size: int = Field(sa_column_kwargs={"server_default": "4000"})
    """About how many bytes its message has."""
    due_at: datetime = now()
    """While due: not before then. While sending: the deliverer is taken for dead after this. While awaiting_ack: it is
    sent again after this."""
    tries: int = Field(sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    generation: int = Field(sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    """How often an operator had it sent again."""
    error: str | None = long_text(default=None)
