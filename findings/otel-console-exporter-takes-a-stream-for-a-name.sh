#!/usr/bin/env bash
set -euo pipefail
# Behaviour: ConsoleSpanExporter takes a stream as its first argument without a word, as the name of the service: spans go to stdout all the same.
# Expected: a TypeError, or that the stream is where it writes, as with logging.StreamHandler.
# Source: opentelemetry/sdk/trace/export: ConsoleSpanExporter(service_name=None, out=sys.stdout, …)
# Here: tests/faults/test_traces_of_processes.py: a worker's spans are written to a file by out=

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opentelemetry-sdk==1.45.2 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import pathlib, subprocess, sys
from importlib.metadata import version

print(f"opentelemetry-sdk {version('opentelemetry-sdk')}")
PROGRAM = """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
with open("spans", "w") as file:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(%s))
    with provider.get_tracer("shown").start_as_current_span("a span"):
        pass
    provider.shutdown()
"""
place = pathlib.Path(sys.argv[1])
seen = {}
for how in ("ConsoleSpanExporter(file)", "ConsoleSpanExporter(out=file)"):
    done = subprocess.run([sys.executable, "-c", PROGRAM % how], cwd=place, capture_output=True, text=True, check=True)
    seen[how] = ("a span" in (place / "spans").read_text(), "a span" in done.stdout)
    print(f"{how}: in the file {seen[how][0]}, on stdout {seen[how][1]}; said on stderr: {done.stderr!r}")
print("So a worker's traces stand in its log, and the file that should have them is empty.")
sys.exit(0 if seen == {"ConsoleSpanExporter(file)": (False, True), "ConsoleSpanExporter(out=file)": (True, False)} else 1)
PYTHON
