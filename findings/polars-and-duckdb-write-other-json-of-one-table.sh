#!/usr/bin/env bash
set -euo pipefail
# Behaviour: as JSON Lines, polars writes a decimal as a text and not-a-number as null; DuckDB writes a number with its zeros, and NaN, which is no JSON.
# Expected: the same lines, or at least JSON from both.
# Source: polars write_ndjson; DuckDB COPY ... (FORMAT json); RFC 8259, section 6
# Here: nothing yet: tables that go out as JSON Lines

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json, sys
from decimal import Decimal

import duckdb
import polars

table = polars.DataFrame({"price": [Decimal("1.10"), Decimal("2.00")], "score": [0.5, float("nan")]})
first = table.write_ndjson()
path = f"{sys.argv[1]}/shop.jsonl"
connection = duckdb.connect()
connection.register("shop", table.to_arrow())
connection.execute(f"COPY shop TO '{path}' (FORMAT json)")
second = open(path).read()
print(f"polars {polars.__version__}:\n{first}duckdb {duckdb.__version__}:\n{second}", end="")


def refuse(word):
    raise ValueError(f"{word} is no JSON")


for line in (*first.splitlines(), *second.splitlines()):
    try:
        json.loads(line, parse_constant=refuse)
    except ValueError as error:
        print(f"{line}: {error}")
print("So who reads such a file has to be told which of the two wrote it.")
held = first.splitlines() == ['{"price":"1.10","score":0.5}', '{"price":"2.00","score":null}']
sys.exit(0 if held and second.splitlines() == ['{"price":1.10,"score":0.5}', '{"price":2.00,"score":NaN}'] else 1)
PYTHON
