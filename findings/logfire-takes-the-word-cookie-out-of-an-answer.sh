#!/usr/bin/env bash
set -euo pipefail
# Behaviour: logfire replaces a whole attribute by "[Scrubbed due to 'cookie']" when its text has a word such as cookie, session or secret, whatever its key is; a key such as cookie_count loses its number.
# Expected: it looks at the keys of attributes: password, api_key.
# Source: logfire's documentation: scrubbing sensitive data; the pattern is looked for in keys and in values
# Here: workers/overnight_workers/telemetry/tracing.py: no text of a prompt or an answer is in a span

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check logfire==5.4.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import logfire
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans = InMemorySpanExporter()
logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False,
                  additional_span_processors=[SimpleSpanProcessor(spans)])
print(f"logfire {version('logfire')}")
seen = []
for attributes in ({"answer": "Our cookie recipe: 200 g of flour"}, {"answer": "A biscuit recipe: 200 g of flour"},
                   {"answer": "The secret garden, a novel"}, {"cookie_count": 5}):
    spans.clear()
    logfire.info("answered", **attributes)
    key = next(iter(attributes))
    seen.append(spans.get_finished_spans()[0].attributes[key])
    print(f"{attributes} is kept as {seen[-1]!r}")
print("So a shop's answers are looked up in traces in vain, product by product.")
sys.exit(0 if ["Scrubbed" in str(kept) for kept in seen] == [True, False, True, True] else 1)
PYTHON
