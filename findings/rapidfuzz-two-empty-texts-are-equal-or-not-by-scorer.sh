#!/usr/bin/env bash
set -euo pipefail
# Behaviour: two empty texts have 100 by rapidfuzz's ratio, partial_ratio and token_sort_ratio, and 0 by WRatio, QRatio and token_set_ratio; WRatio is what process.extract takes by default.
# Expected: 100 by each: they are equal.
# Source: rapidfuzz/fuzz_py.py: 'in FuzzyWuzzy this returns 0. For sake of compatibility return 0 here as well'
# Here: workers/overnight_workers/catalogs/compare/agreement.py: equal texts agree, empty ones too

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rapidfuzz==3.14.6 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version

from rapidfuzz import fuzz

print(f"rapidfuzz {version('rapidfuzz')}: two empty texts")
seen = {}
for name in ("ratio", "partial_ratio", "token_sort_ratio", "token_set_ratio", "QRatio", "WRatio"):
    seen[name] = getattr(fuzz, name)("", "")
    print(f"{name}: {seen[name]}; two equal texts that aren't empty: {getattr(fuzz, name)('a', 'a')}")
print("So a field that both models left empty, rightly, counts as full disagreement by three scorers.")
sys.exit(0 if list(seen.values()) == [100, 100, 100, 0, 0, 0] else 1)
PYTHON
