#!/usr/bin/env bash
set -euo pipefail
# Behaviour: deltalake gives back None for an empty text in a column that the table is parted by.
# Expected: the empty text, as from the same column of a table that isn't parted.
# Source: the protocol of Delta tables, partition value serialization: an empty string is null
# Here: workers/overnight_workers/catalogs/cells.py: an empty text is null in every source, parted or not

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deltalake==1.6.6 pyarrow==26.0.1 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import deltalake, pyarrow as pa

print(f"deltalake {version('deltalake')}")
rows = pa.table({"shop": ["de", "", None], "stock": [1, 2, 3]})
seen = {}
for name, options in (("whole", {}), ("parted by shop", {"partition_by": ["shop"]})):
    deltalake.write_deltalake(name, rows, **options)
    table = pa.table(deltalake.DeltaTable(name).to_pyarrow_table()).sort_by("stock")
    seen[name] = table["shop"].to_pylist()
    print(f"{name}: {rows['shop'].to_pylist()} came back as {seen[name]}")
print("So a key is another one after its table was parted, and a comparison of two nights says that it changed.")
sys.exit(0 if seen == {"whole": ["de", "", None], "parted by shop": ["de", None, None]} else 1)
PYTHON
