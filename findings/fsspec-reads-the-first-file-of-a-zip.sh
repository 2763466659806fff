#!/usr/bin/env bash
set -euo pipefail
# Behaviour: fsspec.open(…, compression="infer") of a zip with two files gives the bytes of the first and says nothing of the second.
# Expected: an error that it holds more than one, as pandas.read_csv gives for the same file, or both.
# Source: fsspec documentation: open, compression; fsspec.compression.unzip
# Here: workers/overnight_workers/catalogs/declaration.py: a zip is no source

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fsspec==2026.9.0 || exit 2

"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pandas==3.1.1 || exit 2
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys, zipfile

import fsspec
import pandas

print(f"fsspec {fsspec.__version__}, pandas {pandas.__version__}")
path = f"{sys.argv[1]}/rows.csv.zip"
with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("january.csv", "id\n1\n")
    archive.writestr("february.csv", "id\n2\n")
with fsspec.open(path, "rb", compression="infer") as file:
    read = file.read()
print(f"fsspec: {read!r}")
try:
    other = repr(pandas.read_csv(path))
except ValueError as error:
    other = f"ValueError: {str(error).split(chr(39))[0]}…"
print(f"pandas: {other}")
print("So a month of rows is missing from the table, and the night ends as complete.")
sys.exit(0 if read == b"id\n1\n" and other.startswith("ValueError") else 1)
PYTHON
