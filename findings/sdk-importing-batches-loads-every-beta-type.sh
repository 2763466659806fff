#!/usr/bin/env bash
set -euo pipefail
# Behaviour: importing the resource of Message Batches alone loads some two thousand modules of beta types, none of which a batch needs.
# Expected: the types of batches and messages, some hundred modules: the resources are made when they are first used.
# Source: `python -X importtime`; anthropic/types/beta/__init__.py is imported by a module of error details that each path has
# Here: workers/overnight_workers/anthropic_api/http_client.py: workers call the API without it

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys, time

began = time.process_time()
import anthropic.resources.messages.batches

took = time.process_time() - began
modules = [name for name in sys.modules if name.startswith("anthropic.")]
beta = [name for name in modules if name.startswith("anthropic.types.beta")]
print(f"anthropic {anthropic.__version__}: {len(modules)} modules, {len(beta)} of them beta types, {took:.1f} s of a processor")
print("So a command that only looks into the database must not import it at all: there is no light part of it.")
sys.exit(0 if len(beta) > 1000 and len(beta) > len(modules) / 2 else 1)
PYTHON
