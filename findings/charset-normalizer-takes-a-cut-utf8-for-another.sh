#!/usr/bin/env bash
set -euo pipefail
# Behaviour: of a UTF-8 text whose last character is cut, such as the first 64 kB of a file, charset-normalizer says that it is cp1250; every letter beyond ASCII is wrong then.
# Expected: UTF-8: all but the last byte or two is, which no other encoding would be by chance.
# Source: charset_normalizer/api.py: from_bytes decodes the whole of what it is given, strictly, before it judges
# Here: workers/overnight_workers/catalogs/sources/dialect.py: _can_be tries UTF-8 itself, by an incremental decoder

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check charset-normalizer==3.5.3 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version

from charset_normalizer import from_bytes

row = "A-17;Ein schöner Kessel für die Küche, größer als üblich\n"
whole = ("sku;Beschreibung\n" + row * 1000).encode()
end = 40_000
while whole[end] & 0xC0 != 0x80:  # a byte that isn't a character's first
    end += 1
seen = {"the whole text": whole, f"its first {end} bytes": whole[:end], "the same less the cut character": whole[: end - 1]}
print(f"charset-normalizer {version('charset-normalizer')}, a text in UTF-8")
names = []
for what, data in seen.items():
    match = from_bytes(data).best()
    names.append(match.encoding)
    print(f"{what}: {match.encoding}: {str(match)[22:52]}")
print("So the head of a file, as one reads it to find its encoding, is right or wrong by the byte at which it ends.")
sys.exit(0 if names[0] == names[2] == "utf_8" and names[1] != "utf_8" else 1)
PYTHON
