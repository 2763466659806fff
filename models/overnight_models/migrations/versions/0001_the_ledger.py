"""The tables of the ledger.

Revision: 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "caching",
        sa.Column("submission_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("prefix_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("lifetime", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("loses", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("priming", sa.Text(), nullable=True),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("answers", sa.Integer(), server_default="0", nullable=False),
        sa.Column("read_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("written_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("lifetime IN ('5m', '1h')", name="caches_live_five_minutes_or_an_hour"),
        sa.CheckConstraint("priming IN ('ahead', 'given up')", name="one_goes_ahead_or_none_does_any_more"),
        sa.PrimaryKeyConstraint("submission_id", "prefix_id", "model_id"),
    )
    op.create_index("caching_lately", "caching", ["lane_id", "at"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("item_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), server_default="4000", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("generation", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('due', 'sending', 'awaiting_ack', 'delivered', 'dead')", name="delivery_state_is_known"
        ),
        sa.PrimaryKeyConstraint("item_id"),
        postgresql_partition_by="RANGE (item_id)",
    )
    op.create_index("delivery_dead", "delivery", ["item_id"], unique=False, postgresql_where=sa.text("state = 'dead'"))
    op.create_index(
        "delivery_due", "delivery", ["target_id", "due_at"], unique=False, postgresql_where=sa.text("state = 'due'")
    )
    op.create_index(
        "delivery_sending",
        "delivery",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'sending' AND due_at IS NOT NULL"),
    )
    op.create_index(
        "delivery_unanswered", "delivery", ["due_at"], unique=False, postgresql_where=sa.text("state = 'awaiting_ack'")
    )
    op.create_table(
        "deployment",
        sa.Column("one", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("home", sa.Text(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("moved_why", sa.Text(), nullable=True),
        sa.Column("word_wanted", sa.Boolean(), server_default="false", nullable=False),
        sa.CheckConstraint("one", name="there_is_one_deployment"),
        sa.PrimaryKeyConstraint("one"),
    )
    op.create_table(
        "double",
        sa.Column("item_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("submission_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("cost_nano", sa.BigInteger(), nullable=True),
        sa.Column("realtime_nano", sa.BigInteger(), nullable=True),
        sa.Column("input_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cache_write_5m_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cache_write_1h_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cache_read_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("output_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("thinking_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.CheckConstraint("cost_nano >= 0 AND realtime_nano >= 0", name="no_double_costs_less_than_nothing"),
        sa.PrimaryKeyConstraint("item_id", "submission_id"),
        postgresql_partition_by="RANGE (item_id)",
    )
    op.create_table(
        "headers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("betas", sa.Text(), nullable=False),
        sa.Column("api_version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("workspace", "betas", "api_version"),
    )
    op.create_table(
        "inbox",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("message_id"),
    )
    op.create_index("inbox_by_time", "inbox", ["received_at"], unique=False, postgresql_using="brin")
    op.create_table(
        "item",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("headers_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("tenant_id", sa.Integer(), nullable=True),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("schema_id", sa.Integer(), nullable=True),
        sa.Column("prefix_id", sa.Integer(), nullable=True),
        sa.Column("shape_id", sa.Integer(), nullable=True),
        sa.Column("target_id", sa.Integer(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("callback_size", sa.Integer(), server_default="0", nullable=False),
        sa.Column("max_tokens", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("cancel_wanted", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("held_by", sa.Integer(), nullable=True),
        sa.Column("held_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("reserved_nano", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(state = 'batched') <= (batch_id IS NOT NULL)", name="batched_items_are_in_a_batch"),
        sa.CheckConstraint("(state = 'held') = (held_by IS NOT NULL)", name="only_held_items_are_held"),
        sa.CheckConstraint("(state = 'waiting') <= (batch_id IS NULL)", name="waiting_items_are_in_no_batch"),
        sa.CheckConstraint("(state = 'waiting') = (waiting_since IS NOT NULL)", name="only_waiting_items_wait"),
        sa.CheckConstraint(
            "state IN ('waiting', 'held', 'batched', 'direct', 'racing', 'succeeded', 'failed', 'canceled')",
            name="item_state_is_known",
        ),
        sa.PrimaryKeyConstraint("id"),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "item_held",
        "item",
        ["held_by", "held_reason", "held_since", "id"],
        unique=False,
        postgresql_where=sa.text("held_by IS NOT NULL"),
    )
    op.create_index(
        "item_in_batch", "item", ["batch_id", "id"], unique=False, postgresql_where=sa.text("batch_id IS NOT NULL")
    )
    op.create_index(
        "item_in_run", "item", ["run_id", "id"], unique=False, postgresql_where=sa.text("run_id IS NOT NULL")
    )
    op.create_index(
        "item_waiting",
        "item",
        ["lane_id", "headers_id", "tenant_id", "waiting_since", "id"],
        unique=False,
        postgresql_where=sa.text("waiting_since IS NOT NULL"),
    )
    op.create_table(
        "item_key",
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("lane_id", "key_hash"),
    )
    op.create_table(
        "lane",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "model",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "obstacle",
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="1", nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("broker", "queue"),
    )
    op.create_table(
        "outcome",
        sa.Column("item_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("submission_id", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("cost_nano", sa.BigInteger(), nullable=True),
        sa.Column("realtime_nano", sa.BigInteger(), nullable=True),
        sa.Column("input_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cache_write_5m_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cache_write_1h_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cache_read_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("output_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("thinking_tokens", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("retryable", sa.Boolean(), nullable=False),
        sa.Column("billed", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("api_batch_id", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.CheckConstraint("billed OR cost_nano = 0", name="what_is_not_billed_costs_nothing"),
        sa.CheckConstraint("cost_nano >= 0 AND realtime_nano >= 0", name="nothing_costs_less_than_nothing"),
        sa.CheckConstraint("ok = (problem IS NULL)", name="an_outcome_is_ok_or_has_a_problem"),
        sa.PrimaryKeyConstraint("item_id"),
        postgresql_partition_by="RANGE (item_id)",
    )
    op.create_table(
        "output_schema",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "prefix",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "primer",
        sa.Column("headers_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("prefix_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("headers_id", "prefix_id", "model_id"),
    )
    op.create_index(op.f("ix_primer_batch_id"), "primer", ["batch_id"], unique=False)
    op.create_table(
        "request",
        sa.Column("item_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("receipt", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("trace_id", sa.Text(), nullable=True),
        sa.Column("callback", sa.Text(), nullable=True),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("enqueued_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("cut_from_tokens", sa.Integer(), nullable=True),
        sa.Column("cut_to_tokens", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("item_id"),
        postgresql_partition_by="RANGE (item_id)",
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "shape",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("passed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "sighting",
        sa.Column("api_id", sa.Text(), nullable=False),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("api_created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ours", sa.Boolean(), nullable=True),
        sa.Column("believed_of", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("api_id"),
    )
    op.create_table(
        "tally",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("headers_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "target",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("broker", "queue"),
    )
    op.create_table(
        "tenant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "unmeasured",
        sa.Column("item_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cuttable", sa.Text(), nullable=True),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner", sa.Integer(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("item_id"),
    )
    op.create_index(
        "unmeasured_being_measured",
        "unmeasured",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("lease_until IS NOT NULL"),
    )
    op.create_table(
        "workspace",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("api_workspace_id", sa.Text(), nullable=True),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("holds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "batch",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("headers_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("has_schemas", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("has_prefixes", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("packed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("releases", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('packed', 'submitting', 'unclear', 'open', 'canceling', 'ended', 'incomplete', 'rejected', 'collected', 'split', 'failed', 'canceled', 'gone')",
            name="batch_state_is_known",
        ),
        sa.ForeignKeyConstraint(
            ["headers_id"],
            ["headers.id"],
        ),
        sa.ForeignKeyConstraint(
            ["lane_id"],
            ["lane.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("batch_by_state", "batch", ["state"], unique=False)
    op.create_table(
        "budget",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=True),
        sa.Column("tenant_id", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("cap_nano", sa.BigInteger(), nullable=False),
        sa.Column("strict", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "CASE WHEN run_id IS NULL THEN period IN ('day', 'month') ELSE period = 'all' END",
            name="only_runs_have_a_budget_for_all_of_it",
        ),
        sa.CheckConstraint("cap_nano >= 0", name="no_budget_is_below_nothing"),
        sa.CheckConstraint("num_nonnulls(lane_id, tenant_id, run_id) = 1", name="a_budget_is_of_one_thing"),
        sa.ForeignKeyConstraint(
            ["lane_id"],
            ["lane.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["run.id"],
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenant.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("lane_id", "tenant_id", "run_id", "period", postgresql_nulls_not_distinct=True),
    )
    op.create_table(
        "plan",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_in_low", sa.BigInteger(), nullable=False),
        sa.Column("tokens_in_high", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out_low", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out_high", sa.BigInteger(), nullable=False),
        sa.Column("cost_nano", sa.BigInteger(), nullable=False),
        sa.Column("cost_nano_low", sa.BigInteger(), nullable=False),
        sa.Column("cost_nano_high", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("billed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("billed_items", sa.BigInteger(), nullable=True),
        sa.Column("billed_tokens_in", sa.BigInteger(), nullable=True),
        sa.Column("billed_tokens_out", sa.BigInteger(), nullable=True),
        sa.Column("billed_cost_nano", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "num_nulls(billed_at, billed_items, billed_tokens_in, billed_tokens_out, billed_cost_nano) IN (0, 5)",
            name="a_plan_is_billed_whole_or_not",
        ),
        sa.CheckConstraint(
            "tokens_in BETWEEN tokens_in_low AND tokens_in_high AND tokens_out BETWEEN tokens_out_low AND tokens_out_high AND cost_nano BETWEEN cost_nano_low AND cost_nano_high",
            name="an_estimate_lies_in_its_interval",
        ),
        sa.ForeignKeyConstraint(
            ["lane_id"],
            ["lane.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["run.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("plan_by_lane", "plan", ["lane_id", "billed_at"], unique=False)
    op.create_index("plan_of_run", "plan", ["run_id"], unique=False)
    op.create_table(
        "booking",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("budget_id", sa.Integer(), nullable=False),
        sa.Column("begins", sa.Date(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("submission_id", sa.BigInteger(), nullable=True),
        sa.Column("reserved_nano", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("spent_nano", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["budget_id"], ["budget.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "a_period_is_folded_into_one_row",
        "booking",
        ["budget_id", "begins"],
        unique=True,
        postgresql_where=sa.text("batch_id IS NULL"),
    )
    op.create_index("booking_by_batch", "booking", ["batch_id"], unique=False)
    op.create_index("booking_by_period", "booking", ["budget_id", "begins"], unique=False)
    op.create_table(
        "submission",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=True),
        sa.Column("owner", sa.Integer(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("let_go_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("send_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quiet_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("api_workspace_id", sa.Text(), nullable=True),
        sa.Column("api_id", sa.Text(), nullable=True),
        sa.Column("api_created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("api_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remembered", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counts", sa.Text(), nullable=True),
        sa.Column("reads", sa.Integer(), server_default="0", nullable=False),
        sa.Column("misses", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("(state = 'open') <= (api_id IS NOT NULL)", name="open_submissions_have_an_api_id"),
        sa.CheckConstraint("(state = 'sending') <= (send_by IS NOT NULL)", name="sending_ends_at_a_time"),
        sa.CheckConstraint(
            "state IN ('claimed', 'sending', 'unclear', 'open', 'void', 'lost', 'done')",
            name="submission_state_is_known",
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batch.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("api_id"),
        sa.UniqueConstraint("token"),
    )
    op.create_index(
        "one_submission_under_way_per_batch",
        "submission",
        ["batch_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('claimed', 'sending', 'unclear')"),
    )
    op.create_index("submission_by_batch", "submission", ["batch_id"], unique=False)
    op.create_index(
        "submission_unfinished",
        "submission",
        ["state"],
        unique=False,
        postgresql_where=sa.text("state NOT IN ('void', 'done')"),
    )
    op.create_table(
        "spending",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("model", sa.Text(), server_default="", nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("paid_twice", sa.Integer(), nullable=False),
        sa.Column("unpriced", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cost_nano", sa.BigInteger(), nullable=False),
        sa.Column("realtime_nano", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cache_write_5m_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cache_write_1h_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("thinking_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("thinking_nano", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_spending_submission_id"), "spending", ["submission_id"], unique=False)
    op.create_index("spending_by_time", "spending", ["at"], unique=False)
