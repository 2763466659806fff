#!/usr/bin/env bash
set -euo pipefail
# Behaviour: litellm's completion_cost takes the full price for an answer whose service_tier is batch, though its list has batch prices.
# Expected: half: the answer says that it was batched, and input_cost_per_token_batches is there.
# Source: litellm/cost_calculator.py: completion_cost; litellm/model_prices_and_context_window_backup.json
# Here: nothing: ours knows the road of each answer

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check litellm==1.110.2 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import os, sys
from importlib.metadata import version

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
from litellm.types.utils import ModelResponse, Usage

print(f"litellm {version('litellm')}: completion_cost of a million input tokens of claude-opus-5")
prices = litellm.get_model_info("claude-opus-5")
full, half = prices["input_cost_per_token"], prices["input_cost_per_token_batches"]
print(f"its list: {full} a token, {half} in batches")
costs = []
for tier in ("standard", "batch"):
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=0, total_tokens=1_000_000, service_tier=tier)
    answer = ModelResponse(model="claude-opus-5", usage=usage, service_tier=tier)
    costs.append(litellm.completion_cost(answer, custom_llm_provider="anthropic"))
    print(f"service_tier {tier}: ${costs[-1]}")
print("So a proxy's spend of batched answers is twice what is billed, unless it is told apart elsewhere.")
sys.exit(0 if costs == [5.0, 5.0] and half * 2 == full else 1)
PYTHON
