#!/usr/bin/env bash
set -euo pipefail
# Behaviour: rfc8785 and canonicaljson write the same document as different bytes (1.0 as 1 and as 1.0, 1e16 in digits and with an exponent, keys by UTF-16 and by code point), and rfc8785 refuses an integer beyond 2 ** 53; orjson with sorted keys writes 1e-7 where json.dumps writes 1e-07.
# Expected: canonical JSON is one form, so that a hash of it can be compared whoever made it.
# Source: RFC 8785, 3.2.2.3 and 3.2.3 (numbers as JavaScript writes them); canonicaljson follows Matrix' form, which has no floats
# Here: models/overnight_models/request/exact_json.py and catalogs/recipe.py: what is hashed is written in one place, by one writer

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rfc8785==0.1.4 canonicaljson==2.0.0 orjson==3.13.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys
from importlib.metadata import version

import canonicaljson
import orjson
import rfc8785

print(*(f"{name} {version(name)}" for name in ("rfc8785", "canonicaljson", "orjson")), sep=", ")
seen = []
for document in (1.0, 1e16, 1e-7, {"\ufb33": 1, "\U00010000": 2}, 2**60):
    try:
        by_rfc = rfc8785.dumps(document).decode()
    except Exception as error:
        by_rfc = type(error).__name__
    matrix = canonicaljson.encode_canonical_json(document).decode()
    fast = orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
    plain = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    seen.append((by_rfc == matrix, matrix == plain, fast == plain))
    print(f"{ascii(document)}: rfc8785 {ascii(by_rfc)}, canonicaljson {ascii(matrix)}, orjson {ascii(fast)}, json {ascii(plain)}")
print("So a hash that decides whether a row is asked again may only ever be made by the writer that made the first.")
sys.exit(0 if [pair[0] for pair in seen] == [False] * 5 and all(pair[1] for pair in seen) and [pair[2] for pair in seen] == [True, True, False, True, True] else 1)
PYTHON
