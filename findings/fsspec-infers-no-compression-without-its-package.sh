#!/usr/bin/env bash
set -euo pipefail
# Behaviour: with compression="infer" a .zst file is unpacked where a zstd package is installed; where none is, its packed bytes are read as they are, without an error.
# Expected: an error, as compression="zstd" gives there.
# Source: fsspec.utils.infer_compression: it knows what is registered, and zstd is registered when its import works
# Here: workers/overnight_workers/catalogs/sources/files.py: .zst, where backports.zstd is always installed

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fsspec==2026.9.0 || exit 2

"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --target "$folder/more" zstandard==0.25.0 || exit 2
cat > "$folder/read.py" <<'PYTHON'
import sys

import fsspec

with fsspec.open(sys.argv[1], "rb", compression="infer") as file:
    print(f"inferred {fsspec.utils.infer_compression(sys.argv[1])}: {file.read()[:4]!r}")
if sys.argv[2:]:
    try:
        fsspec.open(sys.argv[1], "rb", compression="zstd").open()
    except Exception as error:
        print(f"compression='zstd': {type(error).__name__}: {error}")
PYTHON
cd "$folder"
PYTHONPATH="$folder/more" venv/bin/python -c "
import zstandard
open('rows.csv.zst', 'wb').write(zstandard.compress(b'id\n1\n'))"
venv/bin/python -c "import fsspec; print('fsspec', fsspec.__version__)"
with=$(PYTHONPATH="$folder/more" venv/bin/python read.py rows.csv.zst)
without=$(venv/bin/python read.py rows.csv.zst say)
echo "with zstandard:    $with"
echo "without zstandard: $without"
echo "So one machine reads a table, the other reads the same file as one strange column; what the extra installs decides."
[[ "$with" == "inferred zstd: b'id"* && "$without" == "inferred None: b'(\\xb5/\\xfd'"* ]]
