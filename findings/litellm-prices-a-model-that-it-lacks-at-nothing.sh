#!/usr/bin/env bash
set -euo pipefail
# Behaviour: litellm's cost_per_token says $0 for a Claude model that isn't in its list, without an error.
# Expected: an exception, as for a model of an unknown maker: what has no price costs an unknown amount.
# Source: litellm/cost_calculator.py: cost_per_token; litellm/model_prices_and_context_window_backup.json
# Here: models/overnight_models/money/prices.py: an item whose model has no price is refused, or its cost is unknown

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check litellm==1.110.2 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import os, sys
from importlib.metadata import version

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm

print(f"litellm {version('litellm')} with the prices that it ships: a million tokens in")
seen = {}
for model in ("claude-sonnet-4-5", "claude-sonnet-4-0", "claude-opus-4-1", "claude-nonesuch-9"):
    seen[model] = litellm.cost_per_token(model=model, prompt_tokens=1_000_000, completion_tokens=0)[0]
    print(f"{model}: in its list {model in litellm.model_cost}, ${seen[model]}")
try:
    litellm.cost_per_token(model="nonesuch-9", prompt_tokens=1_000_000, completion_tokens=0)
    refused = False
except Exception as error:
    print(f"nonesuch-9: {type(error).__name__}")
    refused = True
print("So the spend of an older or a newer model is nothing there, and no budget of a proxy ever ends.")
sys.exit(0 if refused and [round(cost) for cost in seen.values()] == [3, 0, 0, 0] else 1)
PYTHON
