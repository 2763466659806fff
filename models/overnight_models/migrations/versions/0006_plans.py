"""Plans of runs, to be compared with their bills.

Revision: 0006, after 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "plan",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
        *(
            sa.Column(f"{what}{bound}", sa.BigInteger(), nullable=False)
            for what in ("tokens_in", "tokens_out", "cost_nano")
            for bound in ("", "_low", "_high")
        ),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("billed_at", sa.DateTime(timezone=True), nullable=True),
        *(
            sa.Column(f"billed_{what}", sa.BigInteger(), nullable=True)
            for what in ("items", "tokens_in", "tokens_out", "cost_nano")
        ),
        sa.CheckConstraint(
            "tokens_in BETWEEN tokens_in_low AND tokens_in_high"
            " AND tokens_out BETWEEN tokens_out_low AND tokens_out_high"
            " AND cost_nano BETWEEN cost_nano_low AND cost_nano_high",
            name="an_estimate_lies_in_its_interval",
        ),
        sa.CheckConstraint(
            "num_nulls(billed_at, billed_items, billed_tokens_in, billed_tokens_out, billed_cost_nano) IN (0, 5)",
            name="a_plan_is_billed_whole_or_not",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"]),
        sa.ForeignKeyConstraint(["lane_id"], ["lane.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("plan_of_run", "plan", ["run_id"])
    op.create_index("plan_by_lane", "plan", ["lane_id", "billed_at"])
