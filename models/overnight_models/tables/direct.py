"""Items that are sent in real time: who sends them, what may have been billed, and what has to wait."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from overnight_models.tables.columns import Table, big, by_item, long_text, new_id, now


class DirectClaim(Table, table=True):
    """Items that one process sends in real time, one group after the other: never more at once than it can send."""

    __tablename__ = "direct_claim"
    __table_args__ = (
        Index("direct_claim_under_way", "lease_until", postgresql_where=text("done_at IS NULL")),
        Index("direct_claim_by_number", "batch_number"),
        Index("direct_claim_by_time", "claimed_at", postgresql_using="brin"),
        CheckConstraint("done_at IS NULL OR done_at >= claimed_at", name="a_claim_ends_after_it_began"),
    )
    id: int = by_item()
    """Of the numbers of submissions: outcomes, doubles and what was spent name either."""
    batch_number: int = big()
    """Of the numbers of batches: its money is booked under it."""
    lane_id: int = Field(foreign_key="lane.id")
    headers_id: int = Field(foreign_key="headers.id")
    model_id: int
    """All of its items ask this model."""
    owner: int
    """Whoever sends them: a lock of `ledger.presence`."""
    claimed_at: datetime = now()
    lease_until: datetime
    """The owner is taken for dead after this at the latest."""
    done_at: datetime | None = None
    """When its owner took no more and the last of its items had an answer or was given back; or when it was taken from
    an owner who was dead."""


class DirectCall(Table, table=True):
    """An item that is being sent in real time; a row for only as long as nobody knows what comes of it."""

    __tablename__ = "direct_call"
    item_id: int = by_item()
    """No item is sent by two at once."""
    claim_id: int = big(foreign_key="direct_claim.id", index=True)
    direct_at: datetime
    """Its place among those that are to be sent: it goes back there when it wasn't."""
    let_go_at: datetime | None = None
    """When its bytes were let go: it may have been billed from then on, and can't have been before."""
    reserved_nano: int | None = big(default=None)
    """What is reserved for it in budgets, beside what its batch has reserved; null where there is none."""


class MaybeBilled(Table, table=True):
    """A direct call that was let go and got no answer: it may have been billed, and nothing can look it up."""

    __tablename__ = "maybe_billed"
    __table_args__ = (
        CheckConstraint("cost_nano >= 0", name="nothing_may_have_cost_less_than_nothing"),
        Index("maybe_billed_of_item", "item_id"),
        Index("maybe_billed_by_time", "at"),
    )
    id: int | None = new_id()
    item_id: int = big()
    claim_id: int = big()
    lane_id: int
    tenant_id: int | None = None
    run_id: int | None = None
    model_id: int
    at: datetime = now()
    why: str = long_text()
    input_tokens: int = big()
    """The most that its prompt may have."""
    output_tokens: int = big()
    """The most that its answer may have."""
    cost_nano: int | None = big(default=None)
    """The most that it may have cost; null when its model has no price, or its prompt no bound."""


class DirectPause(Table, table=True):
    """A model of a workspace that nothing is sent to for a while: its rate limit is used up, or the API said so."""

    __tablename__ = "direct_pause"
    workspace: str = long_text(primary_key=True)
    model_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    not_before: datetime
    since: datetime = now()
    """Since when it had to wait again and again, without a minute between."""
    why: str = long_text()
