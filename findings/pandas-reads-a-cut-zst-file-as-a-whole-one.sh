#!/usr/bin/env bash
set -euo pipefail
# Behaviour: pandas.read_csv of a .csv.zst that was cut in transfer gives the rows up to the cut, as if the file ended there; the same of a .csv.gz is an EOFError, and polars and pyarrow refuse both.
# Expected: an error: the frame has no end.
# Source: pandas/io/common.py opens .zst by zstandard's ZstdDecompressor, whose stream reader takes the end of its input for the end of the data
# Here: workers/overnight_workers/catalogs/sources/files.py: .zst is opened by backports.zstd, which raises EOFError

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pandas==3.1.1 zstandard==0.25.0 polars==2.1.0 pyarrow==26.0.1 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import gzip, sys
from importlib.metadata import version

import pandas, polars, pyarrow.csv, zstandard

rows = 60_000
table = b"sku,stock\n" + b"".join(b"%d,%d\n" % (n, n * 7919) for n in range(rows))
packed = {"zst": zstandard.ZstdCompressor().compress(table), "gz": gzip.compress(table)}
for ending, content in packed.items():
    with open(f"catalog.csv.{ending}", "wb") as file:
        file.write(content[: len(content) // 2])
readers = {
    "pandas": lambda name: len(pandas.read_csv(name)),
    "polars": lambda name: polars.read_csv(name).height,
    "pyarrow": lambda name: pyarrow.csv.read_csv(name).num_rows,
}
print(f"{rows} rows were written; half of each file's bytes is there")
seen = {}
for ending in packed:
    for library, read in readers.items():
        try:
            seen[library, ending] = f"{read(f'catalog.csv.{ending}')} rows"
        except Exception as error:
            seen[library, ending] = f"{type(error).__name__}: {error}"
        print(f"{library} {version(library)}, .{ending}: {seen[library, ending]}")
print("So half a catalog looks like one whose other products are gone.")
refused = [key for key, result in seen.items() if not result.endswith(" rows")]
silent = set(seen) - set(refused)
sys.exit(0 if silent == {("pandas", "zst")} and int(seen["pandas", "zst"].split()[0]) < rows else 1)
PYTHON
