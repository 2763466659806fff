#!/usr/bin/env bash
set -euo pipefail
# Behaviour: connection.execution_options(…) changes that connection and returns it itself, so that the options hold for all that comes after; engine.execution_options(…) and statement.execution_options(…) return a copy and leave the first as it was.
# Expected: one method of one name does one thing: the copy has the options.
# Source: SQLAlchemy's page Working with Engines and Connections: Connection.execution_options is in place since 2.0
# Here: models/overnight_models/ledger/database.py: options are given to a statement or an engine

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sqlalchemy==2.1.9 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import sqlalchemy
from sqlalchemy import create_engine, text

print(f"SQLAlchemy {sqlalchemy.__version__}")
engine = create_engine("sqlite://")
statement = text("SELECT 1")
with engine.connect() as connection:
    seen = {}
    for name, whose, get in (
        ("engine", engine, engine.get_execution_options),
        ("statement", statement, statement.get_execution_options),
        ("connection", connection, connection.get_execution_options),
    ):
        returned = whose.execution_options(yield_per=7)
        seen[name] = returned is whose, "yield_per" in get()
        print(f"{name}: returns {'itself' if seen[name][0] else 'a copy'}; the first has the option: {seen[name][1]}")
print("So an option for one large read holds for the small ones after it.")
sys.exit(0 if seen == {"engine": (False, False), "statement": (False, False), "connection": (True, True)} else 1)
PYTHON
