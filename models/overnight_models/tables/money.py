"""What may be spent, what was spent, and what was estimated."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field

from overnight_models.tables.columns import Table, big, long_text, new_id, now, zero


class Spending(Table, table=True):
    """The bill's rows added up as they are written, so that pages needn't read millions of them.

    One for whatever was recorded at once of one lane, tenant, run and model; of doubles, rows of their own.
    """

    __tablename__ = "spending"
    __table_args__ = (
        Index("spending_by_time", "at"),
        # a run's bill reads its own rows, however many the ledger has
        Index("spending_of_run", "run_id", postgresql_where=text("run_id IS NOT NULL")),
    )
    id: int | None = new_id()
    submission_id: int = big(index=True)
    """The submission that was answered, or the direct claim: their numbers are of one sequence."""
    lane_id: int
    tenant_id: int | None = None
    run_id: int | None = None
    model: str = long_text(sa_column_kwargs={"server_default": ""})
    """That served them."""
    answers: int
    paid_twice: int
    unpriced: int = zero()
    """Answers of a model without a price: they are in no sum of money."""
    cost_nano: int = big()
    realtime_nano: int = big()
    input_tokens: int = big(sa_column_kwargs={"server_default": "0"})
    cache_write_5m_tokens: int = big(sa_column_kwargs={"server_default": "0"})
    cache_write_1h_tokens: int = big(sa_column_kwargs={"server_default": "0"})
    cache_read_tokens: int = big(sa_column_kwargs={"server_default": "0"})
    output_tokens: int = big(sa_column_kwargs={"server_default": "0"})
    thinking_tokens: int = big(sa_column_kwargs={"server_default": "0"})
    thinking_nano: int = big(sa_column_kwargs={"server_default": "0"})
    """What those cost; part of the cost."""
    at: datetime = now()


class DailySpending(Table, table=True):
    """The spending of a day, as changes to be added up; by triggers, so it can't drift.

    What is deleted of the spending is taken off here, too.
    """

    __tablename__ = "daily_spending"
    __table_args__ = (Index("daily_spending_by_day", "day"),)
    id: int | None = new_id()
    day: date
    """By UTC."""
    lane_id: int
    tenant_id: int | None = None
    model: str = long_text()
    answers: int = big()
    paid_twice: int = big()
    unpriced: int = big()
    cost_nano: int = big()
    realtime_nano: int = big()
    paid_twice_nano: int = big()
    """What answers for items that had one already cost; part of the cost."""
    input_tokens: int = big()
    cache_write_5m_tokens: int = big()
    cache_write_1h_tokens: int = big()
    cache_read_tokens: int = big()
    output_tokens: int = big()
    thinking_tokens: int = big()
    thinking_nano: int = big()


class Budget(Table, table=True):
    """What a lane or a tenant may spend in a day or a month, or a run or a chain in all."""

    __tablename__ = "budget"
    __table_args__ = (
        UniqueConstraint("lane_id", "tenant_id", "run_id", "chain_id", "period", postgresql_nulls_not_distinct=True),
        CheckConstraint("num_nonnulls(lane_id, tenant_id, run_id, chain_id) = 1", name="a_budget_is_of_one_thing"),
        CheckConstraint(
            "CASE WHEN run_id IS NULL AND chain_id IS NULL THEN period IN ('day', 'month') ELSE period = 'all' END",
            name="only_runs_and_chains_have_a_budget_for_all_of_it",
        ),
        # there may be millions of chains, and few that people have set
        Index("budget_that_people_set", "id", postgresql_where=text("chain_id IS NULL")),
        Index("budget_of_chain", "chain_id", unique=True, postgresql_where=text("chain_id IS NOT NULL")),
        CheckConstraint("cap_nano >= 0", name="no_budget_is_below_nothing"),
    )
    id: int | None = Field(default=None, primary_key=True)
    lane_id: int | None = Field(default=None, foreign_key="lane.id")
    tenant_id: int | None = Field(default=None, foreign_key="tenant.id")
    run_id: int | None = Field(default=None, foreign_key="run.id")
    chain_id: int | None = Field(default=None, foreign_key="chain.id")
    period: str = long_text()
    """`day` or `month`, by UTC; `all` for a run or a chain."""
    cap_nano: int = big()
    strict: bool
    """It reserves the most that an item may cost, and not what is expected."""


class Booking(Table, table=True):
    """A change of what is reserved and spent of a budget in one period, to be added up; appended, never rewritten.

    So whoever settles waits for nobody, and whoever packs locks the budget and adds up. When a batch is over, its
    bookings are folded into the one row of their budget and period.
    """

    __tablename__ = "booking"
    __table_args__ = (
        Index("booking_by_period", "budget_id", "begins"),
        Index("booking_by_batch", "batch_id"),
        Index(
            "a_period_is_folded_into_one_row",
            "budget_id",
            "begins",
            unique=True,
            postgresql_where=text("batch_id IS NULL"),
        ),
    )
    id: int | None = new_id()
    budget_id: int = Field(foreign_key="budget.id", ondelete="CASCADE")
    begins: date
    """The first day of the period in which the batch was packed, whenever its answers come."""
    batch_id: int | None = big(default=None)
    """The batch, or the `batch_number` of a direct claim. Null for those that are over, and for what was billed before
    the budget was set."""
    submission_id: int | None = big(default=None)
    """Of the batch, believed lost: the reservation that is kept should it turn up after all."""
    reserved_nano: int = big(sa_column_kwargs={"server_default": "0"})
    spent_nano: int = big(sa_column_kwargs={"server_default": "0"})


class DeadlineCount(Table, table=True):
    """Deadlines of a lane that were kept and missed, as changes to be added up; appended as outcomes are recorded."""

    __tablename__ = "deadline_count"
    id: int | None = new_id()
    lane_id: int
    met: int = big(sa_column_kwargs={"server_default": "0"})
    missed: int = big(sa_column_kwargs={"server_default": "0"})
    rescued: int = big(sa_column_kwargs={"server_default": "0"})
    """Answered in real time while their batch ran."""
    rescued_nano: int = big(sa_column_kwargs={"server_default": "0"})
    doubles: int = big(sa_column_kwargs={"server_default": "0"})
    """Their second answers: billed and dropped."""
    doubles_nano: int = big(sa_column_kwargs={"server_default": "0"})


class Plan(Table, table=True):
    """What a run was estimated to cost before it was enqueued; beside it the bill, once every item is final."""

    __tablename__ = "plan"
    __table_args__ = (
        CheckConstraint(
            "tokens_in BETWEEN tokens_in_low AND tokens_in_high"
            " AND tokens_out BETWEEN tokens_out_low AND tokens_out_high"
            " AND cost_nano BETWEEN cost_nano_low AND cost_nano_high",
            name="an_estimate_lies_in_its_interval",
        ),
        CheckConstraint(
            "num_nulls(billed_at, billed_items, billed_tokens_in, billed_tokens_out, billed_cost_nano) IN (0, 5)",
            name="a_plan_is_billed_whole_or_not",
        ),
        Index("plan_of_run", "run_id"),
        Index("plan_by_lane", "lane_id", "billed_at"),
    )
    id: int | None = new_id()
    run_id: int = Field(foreign_key="run.id")
    lane_id: int = Field(foreign_key="lane.id")
    made_at: datetime = now()
    items: int = big()
    tokens_in: int = big()
    tokens_in_low: int = big()
    tokens_in_high: int = big()
    tokens_out: int = big()
    tokens_out_low: int = big()
    tokens_out_high: int = big()
    cost_nano: int = big()
    cost_nano_low: int = big()
    cost_nano_high: int = big()
    document: str = long_text()
    """JSON: the whole plan, as `overnight plan --json` printed it."""
    billed_at: datetime | None = None
    """When the run was seen to be final and its bill was put beside the estimate."""
    billed_items: int | None = big(default=None)
    billed_tokens_in: int | None = big(default=None)
    billed_tokens_out: int | None = big(default=None)
    billed_cost_nano: int | None = big(default=None)
