#!/usr/bin/env bash
set -euo pipefail
# Behaviour: pyarrow.csv reads the texts NA of a column as text, but where all of them are NA (or null, n/a) the column is of type null and every value is gone.
# Expected: the same text is the same value, whatever stands in other rows; strings_can_be_null is False.
# Source: pyarrow.csv.ConvertOptions: null_values and strings_can_be_null; types are inferred in the order null, int64, bool, …, string
# Here: workers/overnight_workers/catalogs/sinks/files.py writes the CSV that products read; ours is read with every column as text

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import io, sys

import pyarrow
import pyarrow.csv


def countries(*values: str) -> list[object]:
    table = pyarrow.csv.read_csv(io.BytesIO(("id,country\n" + "".join(f"1,{v}\n" for v in values)).encode()))
    print(f"{values}: {table.schema.field('country').type}, {table['country'].to_pylist()}")
    return table["country"].to_pylist()


print(f"pyarrow {pyarrow.__version__}")
mixed, alone = countries("NA", "DE"), countries("NA", "NA")
print("So a file about Namibia alone has no country, and the file about two countries has both.")
sys.exit(0 if mixed == ["NA", "DE"] and alone == [None, None] else 1)
PYTHON
