#!/usr/bin/env bash
set -euo pipefail
# Behaviour: truncate(10) leaves a text of 15 characters whole, and makes 10 of one of 16; truncate(10, true), which may cut words, too.
# Expected: at most 10 characters: the length is the first argument, and the only one most templates give.
# Source: Jinja documentation: truncate, leeway, and policies: truncate.leeway is 5
# Here: workers/overnight_workers/catalogs/prompt.py: the leeway is 0 there

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jinja2==3.1.6 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from jinja2 import Environment

render = Environment().from_string("{{ text|truncate(10) }}").render
hard = Environment().from_string("{{ text|truncate(10, true) }}").render
print(f"Jinja2 {version('jinja2')}")
seen = {n: (len(render(text="x" * n)), len(hard(text="x" * n))) for n in (10, 11, 15, 16)}
for n, lengths in seen.items():
    print(f"a text of {n}: truncate(10) leaves {lengths[0]}, truncate(10, true) leaves {lengths[1]}")
print("So texts that were cut to fit a limit are over it by up to five characters, and longer ones aren't.")
sys.exit(0 if seen == {10: (10, 10), 11: (11, 11), 15: (15, 15), 16: (10, 10)} else 1)
PYTHON
