#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a file read through fsspec's filecache:: is read from the cache for a week, also when its source has another size and time; simplecache:: with a folder of its own does so without an end.
# Expected: a cache of files asks whether the source changed (its size, time or ETag) before it serves an older copy.
# Source: fsspec's page of features, caching files locally: check_files is off and expiry_time is 604800 as shipped
# Here: workers/overnight_workers/catalogs/sources/files.py: a catalog's URL with a cache in front would send no changed row

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fsspec==2026.9.0 || exit 2

FOLDER="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import os, sys, time
from importlib.metadata import version
from pathlib import Path

import fsspec

print(f"fsspec {version('fsspec')}")
folder, seen = Path(os.environ["FOLDER"]), {}
source = folder / "catalog.csv"


def read(protocol, **options):
    with fsspec.open(f"{protocol}::file://{source}", "rb", **{protocol: {"cache_storage": str(folder / f"{protocol}{len(options)}"), **options}}) as file:
        return file.read()


for protocol, options in (("filecache", {}), ("simplecache", {}), ("filecache", {"check_files": True})):
    source.write_bytes(b"sku\nA1\n")
    read(protocol, **options)
    time.sleep(1.1)
    source.write_bytes(b"sku\nA1\nA2\n")
    seen[protocol, bool(options)] = read(protocol, **options)
    print(f"{protocol} {options or ''}: after the source has grown by A2: {seen[protocol, bool(options)]!r}")
print("So tonight's run reads last night's table, and says that nothing changed.")
old = b"sku\nA1\n"
sys.exit(0 if seen["filecache", False] == old and seen["simplecache", False] == old and seen["filecache", True] != old else 1)
PYTHON
