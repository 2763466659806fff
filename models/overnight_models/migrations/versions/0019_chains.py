"""Chains: what all items of one trace may cost together.

Revision: 0019, after 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "chain",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["lane_id"], ["lane.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("lane_id", "trace_id"),
    )
    op.add_column("item", sa.Column("chain_id", sa.Integer(), nullable=True))
    op.add_column("budget", sa.Column("chain_id", sa.Integer(), nullable=True))
    op.create_foreign_key(None, "budget", "chain", ["chain_id"], ["id"])
    op.drop_constraint("budget_lane_id_tenant_id_run_id_period_key", "budget")
    op.create_unique_constraint(
        None,
        "budget",
        ["lane_id", "tenant_id", "run_id", "chain_id", "period"],
        postgresql_nulls_not_distinct=True,
    )
    op.drop_constraint("a_budget_is_of_one_thing", "budget")
    op.create_check_constraint(
        "a_budget_is_of_one_thing", "budget", "num_nonnulls(lane_id, tenant_id, run_id, chain_id) = 1"
    )
    op.drop_constraint("only_runs_have_a_budget_for_all_of_it", "budget")
    op.create_check_constraint(
        "only_runs_and_chains_have_a_budget_for_all_of_it",
        "budget",
        "CASE WHEN run_id IS NULL AND chain_id IS NULL THEN period IN ('day', 'month') ELSE period = 'all' END",
    )
    op.create_index(
        "budget_that_people_set", "budget", ["id"], unique=False, postgresql_where=sa.text("chain_id IS NULL")
    )
    op.create_index(
        "budget_of_chain", "budget", ["chain_id"], unique=True, postgresql_where=sa.text("chain_id IS NOT NULL")
    )
