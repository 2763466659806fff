#!/usr/bin/env bash
set -euo pipefail
# Behaviour: deltalake writes a column of uint32 as a 32-bit signed integer: 2147483648 is an error, though the column's type has room for it.
# Expected: the next larger signed type, as ADBC makes a bigint of uint32.
# Source: the protocol of Delta tables has no unsigned types; delta-rs casts to the signed type of the same width
# Here: nothing: tables of Delta aren't written

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
seen = []
for number, value in enumerate((2**31 - 1, 2**31)):
    rows = pa.table({"count": pa.array([value], pa.uint32())})
    try:
        deltalake.write_deltalake(f"table{number}", rows)
        seen.append(str(deltalake.DeltaTable(f"table{number}").schema().fields[0].type))
    except Exception as error:
        seen.append(type(error).__name__)
        print(f"    {str(error).splitlines()[0]}")
    print(f"uint32 {value}: {seen[-1]}")
print("So an export runs for years and fails on the day on which a counter passes two thousand millions.")
sys.exit(0 if "integer" in seen[0] and seen[1] == "DeltaError" else 1)
PYTHON
