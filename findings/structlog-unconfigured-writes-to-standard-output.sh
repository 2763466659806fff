#!/usr/bin/env bash
set -euo pipefail
# Behaviour: structlog that nobody configured writes each line to standard output, debug ones too; the standard library's logging writes warnings to standard error, and nothing below.
# Expected: a log is no output: it goes to standard error, as logging's does.
# Source: structlog's page Configuration: PrintLoggerFactory prints to standard output
# Here: workers/overnight_workers/logs.py: a command that prints JSON configures logs before its first line

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check structlog==26.1.0 || exit 2

"$folder/venv/bin/python" - > "$folder/out" 2> "$folder/err" <<'PYTHON'
import logging

import structlog

logging.getLogger("theirs").debug("quiet")
logging.getLogger("theirs").warning("loud")
structlog.get_logger().debug("quiet", key="A1")
print('{"items": 3}')
PYTHON
"$folder/venv/bin/pip" freeze --disable-pip-version-check | grep structlog
echo "standard output:"; cat "$folder/out"
echo "standard error:"; cat "$folder/err"
echo "So a script that reads the JSON of a command finds a log line in it."
[ "$(wc -l < "$folder/out")" = 2 ] && grep -q quiet "$folder/out" && [ "$(cat "$folder/err")" = loud ]
