#!/usr/bin/env bash
set -euo pipefail
# Behaviour: SQLAlchemy refuses the URL with two hosts that libpq documents; in its own form, hosts without ports lose their port.
# Expected: a URL that psql and psycopg take is taken by create_engine.
# Source: SQLAlchemy's page on PostgreSQL: specifying multiple fallback hosts; libpq's page on connection URIs
# Here: models/overnight_models/ledger/database_url.py: a URL of several hosts, as a failover to a standby needs it, is read by us

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sqlalchemy==2.1.9 'psycopg[binary]==3.3.9' || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import psycopg
import sqlalchemy
from psycopg.conninfo import conninfo_to_dict

url = "//shop:secret@one.example:5432,two.example:5433/shop?target_session_attrs=read-write"
print(f"sqlalchemy {sqlalchemy.__version__}, psycopg {psycopg.__version__}: postgresql:{url}")
read = conninfo_to_dict(f"postgresql:{url}")
print(f"libpq, by psycopg: host {read['host']}, port {read['port']}")
try:
    sqlalchemy.make_url(f"postgresql+psycopg:{url}")
    refused = False
except (ValueError, sqlalchemy.exc.ArgumentError) as error:
    print(f"make_url: {type(error).__name__}: {error}")
    refused = True


def arguments(query):
    given = sqlalchemy.make_url(f"postgresql+psycopg://shop:secret@/shop?{query}")
    engine = sqlalchemy.create_engine(given)
    _, words = engine.dialect.create_connect_args(given)
    print(f"?{query}: host={words['host']!r}, port={words.get('port')!r}")
    return words["host"], words.get("port")


own = arguments("host=one.example:5432&host=two.example:5433")
without = arguments("host=one.example&host=two.example")
print("So one setting can't serve psql and SQLAlchemy, unless somebody translates it.")
held = refused and own == ("one.example,two.example", "5432,5433") and without == ("one.example,two.example", ",")
sys.exit(0 if held else 1)
PYTHON
