#!/usr/bin/env bash
set -euo pipefail
# Behaviour: rouge-score gives two equal Chinese or Russian texts a ROUGE of 0, and takes Größe and Gr-e for the same: its tokenizer keeps the letters a to z and digits, and takes all others for blanks.
# Expected: a text has 1 with itself in every language; a measure that knows one alphabet says so or refuses the others.
# Source: rouge_score/tokenize.py: what isn't a-z or 0-9 becomes a space
# Here: workers/overnight_workers/catalogs/compare/agreement.py: F1 of ours, which counts words as each script writes them

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rouge-score==0.1.2 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from rouge_score.rouge_scorer import RougeScorer

print(f"rouge-score {version('rouge-score')}")
scorer = RougeScorer(["rougeL"])
seen = {}
for gold, answer in (("red kettle", "red kettle"), ("красный чайник", "красный чайник"), ("红色的水壶", "红色的水壶"), ("Größe", "Gr e")):
    seen[gold] = scorer.score(gold, answer)["rougeL"].fmeasure
    print(f"ROUGE-L of {answer!r} to {gold!r}: {seen[gold]}")
print("So a comparison of two models on a Chinese catalog says 0 for both, whatever they wrote.")
sys.exit(0 if list(seen.values()) == [1, 0, 0, 1] else 1)
PYTHON
