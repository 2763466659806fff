#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a short file in cp1252 with a few accents is cp1250 by charset-normalizer: Crème becomes Crčme, Peña becomes Peńa, naïve becomes naďve.
# Expected: cp1252, by far the more frequent of the two; both read the bytes, and only one gives words.
# Source: charset_normalizer/constant.py: IANA_SUPPORTED is sorted by name, cp1250 before cp1252; api.py tries them in that order
# Here: workers/overnight_workers/catalogs/sources/dialect.py: _is_western decides for cp1252 before charset-normalizer is asked

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check charset-normalizer==3.5.3 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version

from charset_normalizer import from_bytes

texts = ["id,title\n1,Crème brûlée\n2,Pâté\n", "id,name\n1,Niño\n2,Señor Peña\n", "id,title\n1,naïve\n", "id,name\n1,Müller\n2,Jürgen\n"]
print(f"charset-normalizer {version('charset-normalizer')}, files in cp1252")
wrong = 0
for text in texts:
    match = from_bytes(text.encode("cp1252")).best()
    wrong += str(match) != text
    print(f"{match.encoding}: {str(match)!r}, {'wrong' if str(match) != text else 'right'}")
print("So names of customers and products are changed, and nothing fails.")
sys.exit(0 if wrong == 3 else 1)
PYTHON
