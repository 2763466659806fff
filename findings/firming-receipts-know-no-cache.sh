#!/usr/bin/env bash
set -euo pipefail
# Behaviour: firming counts an Anthropic answer's input_tokens and output_tokens only: tokens written to the cache or read from it are in no receipt, so a batch that shares a long prefix seems to cost nearly nothing.
# Expected: cache_creation_input_tokens and cache_read_input_tokens are billed, at 1.25 (or 2) times and a tenth, and input_tokens doesn't contain them.
# Source: firming/venues/anthropic_batch.py: usage_tokens; Anthropic's documentation: Prompt caching, tracking cache performance
# Here: models/overnight_models/money: a bill has each kind of tokens

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check firming==0.4.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from firming.prices import batch_cost_usd, get_price
from firming.venues.anthropic_batch import usage_tokens

model = "claude-haiku-4-5"
usage = {"input_tokens": 20, "cache_creation_input_tokens": 100_000, "cache_read_input_tokens": 0, "output_tokens": 10}
counted = usage_tokens(usage)
receipt = batch_cost_usd(model, *counted)
price_in, price_out = get_price(model)
billed = 0.5 * (price_in * (20 + 1.25 * 100_000) + price_out * 10) / 1e6
print(f"firming {version('firming')}; usage {usage}")
print(f"counted: {counted}; receipt ${receipt:.6f}; billed by Anthropic's page ${billed:.6f}, {billed / receipt:,.0f} times as much")
print("So its saving and its rescue price can't be believed where prompts are cached.")
sys.exit(0 if counted == (20, 10) and billed > 1000 * receipt else 1)
PYTHON
