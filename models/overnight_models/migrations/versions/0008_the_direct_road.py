"""Items that are sent in real time: when, by whom, and what may have been billed without an answer.

Revision: 0008, after 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply."""
    for name in ("deadline", "give_up_at", "direct_at"):
        op.add_column("item", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        "what_is_being_sent_or_is_over_is_not_to_be_sent",
        "item",
        "direct_at IS NULL OR state IN ('waiting', 'held', 'batched')",
    )
    op.create_index(
        "item_to_be_sent",
        "item",
        ["lane_id", "headers_id", "model_id", "direct_at", "id"],
        unique=False,
        postgresql_where=sa.text("direct_at IS NOT NULL AND held_by IS NULL"),
    )
    # a direct claim has a number of the same sequence
    op.drop_constraint("spending_submission_id_fkey", "spending", type_="foreignkey")
    _add_claims()
    _add_maybe_billed()
    op.create_table(
        "direct_pause",
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "model_id"),
    )


def _add_claims() -> None:
    op.create_table(
        "direct_claim",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("batch_number", sa.BigInteger(), nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("headers_id", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Integer(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("done_at IS NULL OR done_at >= claimed_at", name="a_claim_ends_after_it_began"),
        sa.ForeignKeyConstraint(["lane_id"], ["lane.id"]),
        sa.ForeignKeyConstraint(["headers_id"], ["headers.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "direct_claim_under_way",
        "direct_claim",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_index("direct_claim_by_number", "direct_claim", ["batch_number"], unique=False)
    op.create_index("direct_claim_by_time", "direct_claim", ["claimed_at"], unique=False, postgresql_using="brin")
    op.create_table(
        "direct_call",
        sa.Column("item_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("claim_id", sa.BigInteger(), nullable=False),
        sa.Column("direct_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("let_go_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reserved_nano", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["claim_id"], ["direct_claim.id"]),
        sa.PrimaryKeyConstraint("item_id"),
    )
    op.create_index(op.f("ix_direct_call_claim_id"), "direct_call", ["claim_id"], unique=False)


def _add_maybe_billed() -> None:
    op.create_table(
        "maybe_billed",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("claim_id", sa.BigInteger(), nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_nano", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("cost_nano >= 0", name="nothing_may_have_cost_less_than_nothing"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("maybe_billed_of_item", "maybe_billed", ["item_id"], unique=False)
    op.create_index("maybe_billed_by_time", "maybe_billed", ["at"], unique=False)
