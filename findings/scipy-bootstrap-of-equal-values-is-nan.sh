#!/usr/bin/env bash
set -euo pipefail
# Behaviour: scipy.stats.bootstrap of values that are all equal has the interval nan to nan, by its default method; the percentile method gives the value.
# Expected: the value twice: each resample has the same mean.
# Source: scipy/stats/_resampling.py: BCa divides by the spread of jackknife values; scipy's reference: bootstrap, degenerate distributions
# Here: workers/overnight_workers/catalogs/compare/paired.py: mean_difference takes the percentile method, and equal differences aside before

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import math, sys

import numpy
import scipy
from scipy.stats import bootstrap

print(f"scipy {scipy.__version__}, numpy {numpy.__version__}: twenty rows, in each of which B is 1 better than A")
differences = numpy.ones(20)
seen = {}
for method in ("BCa", "basic", "percentile"):
    interval = bootstrap((differences,), numpy.mean, method=method, rng=1, n_resamples=999).confidence_interval
    seen[method] = (float(interval.low), float(interval.high))
    print(f"{method}{' (the default)' if method == 'BCa' else ''}: {seen[method]}")
print("So the clearest result there is reads as unknown, and `low > 0` is False for it.")
sys.exit(0 if all(map(math.isnan, seen["BCa"])) and seen["percentile"] == (1.0, 1.0) else 1)
PYTHON
