#!/usr/bin/env bash
set -euo pipefail
# Behaviour: anthropic writes OpenTelemetry spans by itself, also for batches, and sends traceparent to the API: no instrumentation is installed.
# Expected: spans need an instrumentation, and no header of ours leaves the house unasked.
# Source: anthropic/_tracing.py; _client.py: the option for OpenTelemetry; the wheel requires opentelemetry-api
# Here: workers/overnight_workers/anthropic_api/http_client.py: calls go without the SDK, so the API hears nothing of traces

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 opentelemetry-sdk==1.45.2 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

headers = []
usage = {"input_tokens": 10, "output_tokens": 5}
message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5", "usage": usage}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        headers.append(self.headers.get("traceparent"))
        body = json.dumps(message | {"content": [], "stop_reason": "end_turn", "stop_sequence": None}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
client = anthropic.Anthropic(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}", max_retries=0)
hello = {"model": "claude-opus-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
with trace.get_tracer("shop").start_as_current_span("a request of ours"):
    client.messages.create(**hello)
    client.messages.batches.create(requests=[{"custom_id": "a", "params": hello}])
print(f"anthropic {anthropic.__version__}: messages.create and batches.create inside a span")
for span in spans.get_finished_spans():
    print(f"span {span.name!r} of {span.instrumentation_scope.name}: {len(span.attributes)} attributes")
print(f"traceparent in the requests: {headers}")
print("So traces reach the API's side, and an instrumentation of anthropic makes a second span for each call.")
names = [span.name for span in spans.get_finished_spans()]
own = ["anthropic.messages.create", "anthropic.messages.batches.create", "a request of ours"]
sys.exit(0 if names == own and all(headers) else 1)
PYTHON
