#!/usr/bin/env bash
set -euo pipefail
# Behaviour: scikit-learn's roc_auc_score of labels that are all of one class is nan, with a warning.
# Expected: a ValueError, as for years before 1.6.
# Source: scikit-learn's documentation of roc_auc_score and its change log of 1.6
# Here: nothing: no area under a curve is measured

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys, warnings

import sklearn
from sklearn.metrics import roc_auc_score

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    area = roc_auc_score([1, 1, 1], [0.1, 0.2, 0.3])
print(f"scikit-learn {sklearn.__version__}: {area}; {caught[0].category.__name__}: {caught[0].message}")
mean = sum([0.9, 0.8, float(area)]) / 3
print(f"the mean of three nights, of which one had only one class: {mean}; is it below 0.7? {mean < 0.7}")
print("So a gate that asks whether the figure is too low lets such a night through.")
sys.exit(0 if area != area and not mean < 0.7 else 1)
PYTHON
