#!/usr/bin/env bash
set -euo pipefail
# Behaviour: an insert of a list of dicts has the columns of the first dict: a key that only later dicts have is dropped, without an error; a key that a later dict lacks is an error.
# Expected: an error in both cases, or the union of the keys with nulls, as two inserts would do.
# Source: SQLAlchemy documentation: Connection.execute, "executemany": the first dictionary decides
# Here: workers/overnight_workers/catalogs/sinks/table.py: each row has every column

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sqlalchemy==2.0.45 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import sqlalchemy
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, exc, insert, select

print(f"SQLAlchemy {sqlalchemy.__version__}")
metadata = MetaData()
table = Table("answers", metadata, Column("id", Integer, primary_key=True), Column("text", Text))
engine = create_engine("sqlite://")
metadata.create_all(engine)
with engine.begin() as connection:
    connection.execute(insert(table), [{"id": 1}, {"id": 2, "text": "kept?"}])
    stored = connection.execute(select(table)).all()
    print(f"[{{id: 1}}, {{id: 2, text: 'kept?'}}] stores {[tuple(row) for row in stored]}")
    try:
        connection.execute(insert(table), [{"id": 3, "text": "there"}, {"id": 4}])
        other = "no error"
    except exc.StatementError as error:
        other = type(error.orig).__name__
    print(f"the other way round: {other}")
print("So one answer without a text, if it comes first, empties the texts of its whole group.")
sys.exit(0 if [tuple(row) for row in stored] == [(1, None), (2, None)] and other == "InvalidRequestError" else 1)
PYTHON
