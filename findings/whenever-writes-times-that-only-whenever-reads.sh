#!/usr/bin/env bash
set -euo pipefail
# Behaviour: the time of a zone as whenever writes it, 2026-10-25T02:30:00+01:00[Europe/Berlin] of RFC 9557, is refused by Python's fromisoformat, pydantic, pendulum, pandas, polars and DuckDB.
# Expected: the newer libraries of times and tables read it, at least up to the bracket.
# Source: RFC 9557; whenever's documentation of ZonedDateTime
# Here: models/overnight_models/wire: an instant is written with its offset, and a zone stands by itself

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check whenever==0.11.0 pendulum==3.3.0 pydantic==2.14.4 pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import datetime as dt, sys
from importlib.metadata import version

import duckdb, pandas, pendulum, polars, pydantic, whenever

text = whenever.ZonedDateTime(2026, 10, 25, 2, 30, tz="Europe/Berlin", disambiguate="later").format_iso()
print(f"whenever {version('whenever')} writes {text}")
readers = {
    "whenever": whenever.ZonedDateTime.parse_iso,
    "fromisoformat": dt.datetime.fromisoformat,
    "pydantic": pydantic.TypeAdapter(dt.datetime).validate_python,
    "pendulum": pendulum.parse,
    "pandas": pandas.Timestamp,
    "polars": lambda value: polars.Series([value]).str.to_datetime(time_zone="UTC"),
    "duckdb": lambda value: duckdb.sql(f"SELECT '{value}'::timestamptz").fetchall(),
}
read = []
for name, reader in readers.items():
    try:
        print(f"{name}: {reader(text)!r}")
        read.append(name)
    except Exception as error:
        print(f"{name}: {type(error).__name__}")
print("So the zone that was added for safety makes the time unreadable to whoever is next.")
sys.exit(0 if read == ["whenever"] and text.endswith("+01:00[Europe/Berlin]") else 1)
PYTHON
