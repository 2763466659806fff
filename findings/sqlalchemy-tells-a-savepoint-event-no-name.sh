#!/usr/bin/env bash
set -euo pipefail
# Behaviour: SQLAlchemy's event savepoint(connection, name) is called with None; rollback_savepoint and release_savepoint of the same savepoint have its name.
# Expected: the name, as the event's documentation has the parameter.
# Source: sqlalchemy/engine/base.py: _savepoint_impl dispatches before the name is made
# Here: nothing: no event of a savepoint is listened to

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sqlalchemy==2.1.9 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import sqlalchemy as sa

engine = sa.create_engine("sqlite://")
names = {}
with engine.connect() as connection:
    sa.event.listen(connection, "savepoint", lambda _, name: names.setdefault("savepoint", name))
    sa.event.listen(connection, "rollback_savepoint", lambda _, name, context: names.setdefault("rollback_savepoint", name))
    with connection.begin():
        nested = connection.begin_nested()
        connection.execute(sa.text("SELECT 1"))
        nested.rollback()
print(f"SQLAlchemy {sa.__version__}: {names}")
print("So a listener that pairs the beginning of savepoints with their ends by name finds none.")
sys.exit(0 if names["savepoint"] is None and names["rollback_savepoint"] else 1)
PYTHON
