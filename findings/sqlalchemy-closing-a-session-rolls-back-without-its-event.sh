#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a Session that is closed without a commit rolls its transaction back, and neither after_rollback nor after_soft_rollback is called; rollback() calls both.
# Expected: who listens for rollbacks hears of each.
# Source: SQLAlchemy's Session.close expunges all and closes its transaction, which isn't a rollback of the Session
# Here: producers/overnight_producers/testing: the kit looks at the end of a session's transaction too

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sqlalchemy==2.1.9 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import sqlalchemy
from sqlalchemy import event, text
from sqlalchemy.orm import Session

engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
with engine.begin() as connection:
    connection.execute(text("CREATE TABLE t (a int)"))
print(f"sqlalchemy {sqlalchemy.__version__}")
seen = {}
for end in ("rollback", "close"):
    heard = []
    session = Session(engine)
    event.listen(session, "after_rollback", lambda session: heard.append("after_rollback"))
    event.listen(session, "after_soft_rollback", lambda session, before: heard.append("after_soft_rollback"))
    session.execute(text("INSERT INTO t VALUES (1)"))
    getattr(session, end)()
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT count(*) FROM t")).scalar_one()
    seen[end] = (rows, sorted(heard))
    print(f"{end}(): rows afterwards {rows}, events {sorted(heard)}")
    session.close()
print("So an outbox that forgets its messages on after_rollback sends those of a request that ended in an error page.")
sys.exit(0 if seen == {"rollback": (0, ["after_rollback", "after_soft_rollback"]), "close": (0, [])} else 1)
PYTHON
