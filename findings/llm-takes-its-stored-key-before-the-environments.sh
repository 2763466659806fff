#!/usr/bin/env bash
set -euo pipefail
# Behaviour: the command line tool llm takes the key of its keys.json, and the environment variable only when none is stored.
# Expected: the variable wins over a file, as it does with the tools of cloud providers and Anthropic's SDK.
# Source: llm's documentation, API keys: the order in which a key is looked for
# Here: workers/overnight_workers/keys/key_reading.py: a key comes from the one place that is named

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check llm==0.36 || exit 2

cd "$folder"
LLM_USER_PATH=$folder/stored ANTHROPIC_API_KEY=of-the-environment "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import os, pathlib, sys
from importlib.metadata import version

import llm

stored = pathlib.Path(os.environ["LLM_USER_PATH"])
stored.mkdir()
print(f"llm {version('llm')}, ANTHROPIC_API_KEY is set")
seen = []
for content in ("{}", '{"anthropic": "of-the-file"}'):
    (stored / "keys.json").write_text(content)
    seen.append(llm.get_key(alias="anthropic", env="ANTHROPIC_API_KEY"))
    print(f"keys.json {content}: {seen[-1]}")
print("So a run with another team's key in its environment is billed to whoever once stored one.")
sys.exit(0 if seen == ["of-the-environment", "of-the-file"] else 1)
PYTHON
