"""Run by Alembic: migrates over the connection that `overnight_models.ledger.schema` hands it."""

from __future__ import annotations

from alembic import context

from overnight_models import tables
from overnight_models.ledger.schema import VERSION_TABLE, compared

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.Table.metadata,
    include_object=compared,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
