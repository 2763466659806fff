#!/usr/bin/env bash
set -euo pipefail
# Behaviour: with one nan among the p-values, statsmodels' multipletests by Holm or Bonferroni counts it as a test, so that the others need more; by fdr_bh every corrected p-value becomes nan while the hypotheses are still called rejected.
# Expected: a test that could not be done is left out (its own value stays nan), or refused, alike by every method.
# Source: statsmodels/stats/multitest.py: len(pvals) and a running minimum from the largest, where nan sorts last
# Here: workers/overnight_workers/catalogs/compare/paired.py: sides without a difference have a p-value of 1, never none

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check statsmodels==0.15.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy
from statsmodels.stats.multitest import multipletests

print(f"statsmodels {version('statsmodels')}, numpy {numpy.__version__}")
seen = {}
for method in ("holm", "fdr_bh"):
    for values in ([0.01, 0.03], [0.01, numpy.nan, 0.03]):
        rejected, corrected = multipletests(values, alpha=0.05, method=method)[:2]
        seen[method, len(values)] = rejected.tolist(), corrected.tolist()
        print(f"{method} of {values}: rejected {rejected.tolist()}, corrected {[round(float(p), 4) for p in corrected]}")
print("So the comparison that had nothing to compare decides over those that had.")
holm, fdr = seen["holm", 3], seen["fdr_bh", 3]
sys.exit(0 if seen["holm", 2][0] == [True, True] and holm[0] == [True, False, False] and fdr[0] == [True, False, True] and all(map(numpy.isnan, fdr[1])) else 1)
PYTHON
