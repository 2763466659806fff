#!/usr/bin/env bash
set -euo pipefail
# Behaviour: DeepHash gives [1, 2], [2, 1] and [1, 2, 2] one hash, and Decimal 1.10 and 1.1 two; DeepDiff beside it finds the lists different and the decimals equal.
# Expected: one hash exactly where DeepDiff finds no difference.
# Source: deepdiff's documentation: DeepHash ignores order, and repetition too (ignore_repetition is True); DeepDiff has ignore_order False
# Here: workers/overnight_workers/catalogs/recipe.py: what is sent is hashed as canonical JSON

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deepdiff==9.1.0 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from decimal import Decimal
from importlib.metadata import version

from deepdiff import DeepDiff, DeepHash

print(f"deepdiff {version('deepdiff')}")
first, second, third = (1, 2), (2, 1), (1, 2, 2)
hashes = [DeepHash(value)[value] for value in (first, second, third)]
differ = [bool(DeepDiff(first, other)) for other in (second, third)]
a, b = Decimal("1.10"), Decimal("1.1")
prices = [DeepHash(value)[value] for value in (a, b)]
print(f"hashes of {first}, {second}, {third}: {len(set(hashes))} different\nDeepDiff finds a difference to the first: {differ}")
print(f"hashes of Decimal 1.10 and 1.1: {len(set(prices))} different\nDeepDiff: {DeepDiff(a, b) or 'no difference'}")
print("So a memory of what was sent that is keyed by DeepHash misses a changed order of steps, and sends again for a zero.")
sys.exit(0 if len(set(hashes)) == 1 and differ == [True, True] and len(set(prices)) == 2 and not DeepDiff(a, b) else 1)
PYTHON
