#!/usr/bin/env bash
set -euo pipefail
# Behaviour: krippendorff.alpha takes numbers for points on a scale unless it is told nominal: the same two raters' labels agree by 0.90 with labels 1 to 4, and by another figure when the labels are only renumbered.
# Expected: nominal, which makes no difference between labels, or no default at all.
# Source: the docstring of krippendorff.alpha: level_of_measurement, interval by default
# Here: nothing: no agreement of raters is measured

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check krippendorff==0.9.0 numpy==2.4.6 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import krippendorff

print(f"krippendorff {version('krippendorff')}")
raters = [[1, 2, 3, 1], [1, 2, 4, 1]]
renumbered = [[{3: 40}.get(label, label) for label in rater] for rater in raters]
seen = []
for name, data in (("labels 1 to 4", raters), ("label 3 renumbered to 40", renumbered)):
    default = krippendorff.alpha(data)
    nominal = krippendorff.alpha(data, level_of_measurement="nominal")
    seen += [round(float(default), 3), round(float(nominal), 3)]
    print(f"{name}: {default:.3f}; as nominal: {nominal:.3f}")
print("So a report of how well a model and a person agree depends on the numbers of the classes.")
sys.exit(0 if seen[0] == 0.901 and seen[1] == seen[3] == 0.667 and seen[0] != seen[2] else 1)
PYTHON
