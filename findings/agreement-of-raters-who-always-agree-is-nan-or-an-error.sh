#!/usr/bin/env bash
set -euo pipefail
# Behaviour: when two raters give every row the same one label, krippendorff raises, and sklearn's cohen_kappa_score and statsmodels' fleiss_kappa are nan.
# Expected: 1.0, since they agree on everything.
# Source: the chance agreement is 1, so each divides 0 by 0; krippendorff asks for two values in its domain
# Here: workers/overnight_workers/catalogs/compare: agreement is a share with its interval, and never nan

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check krippendorff==0.9.0 scikit-learn==1.9.1 statsmodels==0.15.0 numpy==2.4.6 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys, warnings
from importlib.metadata import version

import krippendorff
import numpy
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa

warnings.simplefilter("ignore")
print(", ".join(f"{name} {version(name)}" for name in ("krippendorff", "scikit-learn", "statsmodels")))
first = second = [1, 1, 1, 1, 1]
kappa = cohen_kappa_score(first, second)
fleiss = fleiss_kappa(numpy.array([[2, 0]] * 5))
try:
    alpha = krippendorff.alpha(reliability_data=[first, second], level_of_measurement="nominal")
except ValueError as error:
    alpha = f"raises: {error}"
print(f"cohen_kappa_score: {kappa}\nfleiss_kappa: {fleiss}\nkrippendorff.alpha: {alpha}")
print("So a report on two prompts whose answers are all 'in stock' has a hole where the best case stands.")
sys.exit(0 if numpy.isnan(kappa) and numpy.isnan(fleiss) and str(alpha).startswith("raises") else 1)
PYTHON
