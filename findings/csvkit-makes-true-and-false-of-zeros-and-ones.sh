#!/usr/bin/env bash
set -euo pipefail
# Behaviour: csvkit's in2csv, which should make CSV of CSV, writes False and True for a column of 0 and 1, 7 for 007, 1E+3 for 1e3, 50 for 50% and nothing for N/A; -I keeps the others and still takes N/A away.
# Expected: the same cells, without -I as with it, since nothing was asked for but CSV.
# Source: csvkit's documentation: --no-inference; agate's: Boolean and Number, the order in which types are tried
# Here: workers/overnight_workers/catalogs/cells.py: every cell is text

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check csvkit==2.2.0 agate==1.14.2 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import subprocess, sys
from importlib.metadata import version

print(f"csvkit {version('csvkit')}, agate {version('agate')}")
source = "sold,sku,price,rebate,note\n0,007,1.10,50%,N/A\n1,1e3,$5,5%,x\n"
with open("catalog.csv", "w") as file:
    file.write(source)
seen = {}
for options in ([], ["-I"]):
    command = [f"{sys.prefix}/bin/in2csv", *options, "catalog.csv"]
    seen[bool(options)] = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    print(" ".join(["in2csv", *command[1:]]))
    print("    " + seen[bool(options)].strip().replace("\n", "\n    "))
print("So a file that was only looked through is another one.")
inferred = "sold,sku,price,rebate,note\nFalse,7,1.10,50,\nTrue,1E+3,5,5,x\n"
sys.exit(0 if seen == {False: inferred, True: source.replace("N/A", "")} else 1)
PYTHON
