#!/usr/bin/env bash
set -euo pipefail
# Behaviour: fsspec.open(path, "w") makes each missing folder of a local path; open() of the very same file system object raises FileNotFoundError.
# Expected: FileNotFoundError from both, as from open(): a folder that is misspelled is a fault.
# Source: fsspec/core.py: open_files has auto_mkdir=True, fsspec/implementations/local.py: LocalFileSystem has False
# Here: workers/overnight_workers/catalogs/sinks: where a sink writes is looked at before anything is paid

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fsspec==2026.9.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from pathlib import Path

import fsspec

print(f"fsspec {fsspec.__version__}")
with fsspec.open("catalgo/night/described.csv", "w") as file:
    file.write("sku,text\n")
made = Path("catalgo/night/described.csv").exists()
print(f"fsspec.open of a file in two folders that aren't there: written: {made}")
try:
    fsspec.filesystem("file").open("othre/described.csv", "w")
    refused = ""
except FileNotFoundError as error:
    refused = type(error).__name__
print(f"open() of its LocalFileSystem: {refused or 'written'}")
print("So a misspelled folder of a sink gets the night's file, where nobody looks for it.")
sys.exit(0 if made and refused and not Path("othre").exists() else 1)
PYTHON
