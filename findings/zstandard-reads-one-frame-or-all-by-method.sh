#!/usr/bin/env bash
set -euo pipefail
# Behaviour: of two zstd frames one after the other, decompress, decompressobj and read_to_iter give the first; stream_reader and open give both.
# Expected: both, from each: gzip's module does that with its members, and the format says that frames may follow each other.
# Source: python-zstandard's documentation: read_across_frames; RFC 8878, section 3
# Here: nothing yet: bodies that are appended to one another

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check zstandard==0.25.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import gzip, io, sys

import zstandard

pack = zstandard.ZstdCompressor().compress
both = pack(b"one ") + pack(b"two")
seen = {
    "decompress": zstandard.ZstdDecompressor().decompress(both),
    "decompressobj": zstandard.ZstdDecompressor().decompressobj().decompress(both),
    "read_to_iter": b"".join(zstandard.ZstdDecompressor().read_to_iter(both)),
    "stream_reader": zstandard.ZstdDecompressor().stream_reader(both).read(),
    "open": zstandard.open(io.BytesIO(both)).read(),
}
print(f"zstandard {zstandard.__version__}: two frames, without an error from any")
for method, text in seen.items():
    print(f"{method}: {text}")
print(f"gzip.decompress of two members: {gzip.decompress(gzip.compress(b'one ') + gzip.compress(b'two'))}")
print("So what is appended to a file of frames is silently missing for who reads it in one call.")
first = [method for method, text in seen.items() if text == b"one "]
sys.exit(0 if first == ["decompress", "decompressobj", "read_to_iter"] else 1)
PYTHON
