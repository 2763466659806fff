#!/usr/bin/env bash
set -euo pipefail
# Behaviour: statsmodels' proportions_ztest of no faults in 10 and no faults in 10 is nan, so is 10 of 10 and 10 of 10; its test_proportions_2indep gives 1.
# Expected: p = 1: two equal shares don't differ.
# Source: statsmodels/stats/proportion.py: proportions_ztest divides by the pooled variance, which is 0
# Here: workers/overnight_workers/catalogs/compare/paired.py: two recipes without a fault are the usual case, and an exact test is used

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import math, sys
from importlib.metadata import version

from statsmodels.stats.proportion import proportions_ztest, test_proportions_2indep

print(f"statsmodels {version('statsmodels')}")
zs = []
for counts in ([0, 0], [10, 10], [0, 1]):
    p = float(proportions_ztest(counts, [10, 10])[1])
    zs.append(p)
    print(f"{counts[0]} of 10 and {counts[1]} of 10: proportions_ztest p = {p:.3f}")
other = float(test_proportions_2indep(0, 10, 0, 10).pvalue)
print(f"0 of 10 and 0 of 10: test_proportions_2indep p = {other:.3f}")
print("So `p < 0.05` is False, and `p >= 0.05` too: a gate passes or stops two clean runs by how its condition is written.")
sys.exit(0 if math.isnan(zs[0]) and math.isnan(zs[1]) and not math.isnan(zs[2]) and other == 1.0 else 1)
PYTHON
