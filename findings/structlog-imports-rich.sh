#!/usr/bin/env bash
set -euo pipefail
# Behaviour: `import structlog` imports rich wherever rich is installed, also in a process that only writes JSON.
# Expected: rich is imported when a console renderer that draws tracebacks is made.
# Source: structlog/__init__.py imports structlog.dev, which tries to import rich at the top
# Here: workers/overnight_workers/telemetry/logs.py: what a short command logs doesn't go through structlog

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check structlog==26.1.0 rich==15.0.0 || exit 2

cat >"$folder/seen.py" <<'PYTHON'
import sys

before = set(sys.modules)
import structlog

new = set(sys.modules) - before
log = structlog.wrap_logger(structlog.PrintLogger(), processors=[structlog.processors.JSONRenderer()])
log.info("one line of JSON")
print(f"structlog {structlog.__version__}: {len(new)} modules, {sum(name.split('.')[0] == 'rich' for name in new)} of them rich's")
sys.exit(0 if "rich.console" in sys.modules else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
