#!/usr/bin/env bash
set -euo pipefail
# Behaviour: OTEL_EXPORTER_OTLP_TIMEOUT=5000 makes OpenTelemetry's exporter in Python wait 5000 seconds.
# Expected: five seconds: the specification says milliseconds, and exporters in other languages read them so.
# Source: OpenTelemetry's specification, OTLP exporter configuration; the docstring of opentelemetry.exporter.otlp.proto.http says seconds
# Here: workers/overnight_workers/telemetry/tracing.py: spans go to the operator's own exporter, with its settings

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opentelemetry-exporter-otlp-proto-http==1.45.1 || exit 2

cd "$folder"
OTEL_EXPORTER_OTLP_TIMEOUT=2 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import http.server, sys, threading, time
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

took = threading.Event()


class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        time.sleep(1)  # five hundred times the two milliseconds
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        took.set()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=server.serve_forever, daemon=True).start()
exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{server.server_port}/v1/traces")
results = []
export = exporter.export
exporter.export = lambda spans: results.append(export(spans)) or results[-1]
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
with provider.get_tracer("finding").start_as_current_span("a span"):
    pass
print(f"opentelemetry-exporter-otlp-proto-http {version('opentelemetry-exporter-otlp-proto-http')}")
print(f"OTEL_EXPORTER_OTLP_TIMEOUT=2, a collector that answers after 1 s: {results[0].name}")
print("So a variable that is set for all services of a fleet lets those in Python wait a thousand times as long.")
sys.exit(0 if results[0].name == "SUCCESS" and took.is_set() else 1)
PYTHON
