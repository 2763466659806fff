#!/usr/bin/env bash
set -euo pipefail
# Behaviour: fsspec's open(compression="infer") raises EOFError, zlib.error, lzma.LZMAError or ZstdError for damaged files, by their codec: most of them aren't OSErrors.
# Expected: an OSError, as for other faults of reading a file.
# Source: fsspec/compression.py: each codec's own file object
# Here: workers/overnight_workers/catalogs/sources/opening.py: opens what is compressed

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fsspec==2026.9.0 backports.zstd==1.8.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import bz2, gzip, lzma, random, sys
from importlib.metadata import version

import fsspec
from backports import zstd

print(f"fsspec {version('fsspec')}, backports.zstd {version('backports.zstd')}")
random.seed(1)
content = bytes(random.choices(b"abcdefgh\n", k=300_000))
kinds = {}
for ending, packed in (("gz", gzip.compress(content)), ("bz2", bz2.compress(content)), ("xz", lzma.compress(content)),
                       ("zst", zstd.compress(content))):
    half = len(packed) // 2
    for fault, damaged in (("cut", packed[:half]), ("changed", packed[:half] + b"\xff" * 64 + packed[half + 64 :])):
        name = f"{fault}.jsonl.{ending}"
        with open(name, "wb") as file:
            file.write(damaged)
        try:
            with fsspec.open(name, "rb", compression="infer") as file:
                file.read()
            kinds[name] = None
        except Exception as error:
            kinds[name] = error
        print(f"{name}: {type(kinds[name]).__name__}: {kinds[name]}")
others = [name for name, error in kinds.items() if not isinstance(error, OSError)]
print(f"{len(others)} of {len(kinds)} are no OSError")
print("So code that says which file is damaged has to know each codec.")
sys.exit(0 if len({type(kinds[name]) for name in others}) >= 3 and all(kinds.values()) else 1)
PYTHON
