#!/usr/bin/env bash
set -euo pipefail
# Behaviour: dspy.Evaluate gives an example whose program raised the score 0 and goes on: 66.67 for two right answers and one error.
# Expected: the error is raised, or that example is left out and said.
# Source: dspy's documentation, Evaluate: failure_score and max_errors
# Here: workers/overnight_workers/catalogs/trying.py: faults are told apart from answers

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dspy==3.4.1 || exit 2

cd "$folder"
DSPY_CACHEDIR=$folder/cache LITELLM_LOCAL_MODEL_COST_MAP=True "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import logging, sys
from importlib.metadata import version

import dspy

logging.disable(logging.CRITICAL)


class Answer(dspy.Module):
    def forward(self, question):
        if question == "b":
            raise ConnectionError("the model wasn't reached")
        return dspy.Prediction(answer="yes")


examples = [dspy.Example(question=question, answer="yes").with_inputs("question") for question in "abc"]
evaluate = dspy.Evaluate(devset=examples, metric=lambda example, prediction, trace=None: example.answer == prediction.answer,
                         num_threads=1, display_progress=False)
result = evaluate(Answer())
scores = [score for _, _, score in result.results]
print(f"dspy {version('dspy')}: score {result.score}, of each example {scores}")
print("So a night of a bad line looks like a worse prompt.")
sys.exit(0 if result.score == 66.67 and scores == [True, 0.0, True] else 1)
PYTHON
