"""What says whether an answer fits the schema that its item asked for, read from the ledger once."""

from __future__ import annotations

from overnight_models.ledger.collect import collect as ledger
from overnight_models.wire.judgement import Check
from overnight_workers import process
from overnight_workers.held import held
from overnight_workers.stages import output_schema


@held
def check_of(schema_id: int) -> Check:
    """What says whether a text fits a schema."""
    with process.database().transaction() as connection:
        document = ledger.output_schema(connection, schema_id)
    return output_schema.check(document)
