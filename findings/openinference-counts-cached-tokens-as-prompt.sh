#!/usr/bin/env bash
set -euo pipefail
# Behaviour: llm.token_count.prompt of OpenInference's spans is the API's input_tokens and both kinds of cached tokens together: 1110 for an answer that says 10.
# Expected: the 10 as prompt, and the cached ones beside it.
# Source: OpenInference's semantic conventions: prompt_details are parts of prompt
# Here: models/overnight_models/money: four kinds of tokens, each with its own price

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openinference-instrumentation-anthropic==3.1.0 anthropic==2.14.0 opentelemetry-sdk==1.45.1 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import http.server, json, sys, threading
from importlib.metadata import version

import anthropic
from openinference.instrumentation.anthropic import AnthropicInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

usage = {"input_tokens": 10, "output_tokens": 2, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 100}
answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5", "stop_reason": "end_turn",
          "content": [{"type": "text", "text": "Blue."}], "usage": usage}


class Messages(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Messages)
threading.Thread(target=server.serve_forever, daemon=True).start()
spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
AnthropicInstrumentor().instrument(tracer_provider=provider)
client = anthropic.Anthropic(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}")
client.messages.create(model="claude-opus-5", max_tokens=10, messages=[{"role": "user", "content": "Which colour?"}])
counts = {key: value for key, value in spans.get_finished_spans()[0].attributes.items() if "token_count" in key}
print(f"openinference-instrumentation-anthropic {version('openinference-instrumentation-anthropic')}, anthropic {version('anthropic')}")
print(f"usage: {usage}")
for key, value in counts.items():
    print(f"{key}: {value}")
print("So a sum of prompt tokens isn't the one on the bill, and times a price it is many times the bill.")
sys.exit(0 if counts["llm.token_count.prompt"] == 1110 else 1)
PYTHON
