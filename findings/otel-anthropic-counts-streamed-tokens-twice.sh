#!/usr/bin/env bash
set -euo pipefail
# Behaviour: opentelemetry-instrumentation-anthropic adds the output tokens of message_start to those of message_delta: 6 where 5 are billed.
# Expected: the output tokens of message_delta alone: the API says that they are cumulative.
# Source: opentelemetry/instrumentation/anthropic/streaming.py; the API's page on streaming messages
# Here: nothing yet: tokens in traces are no bill

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 opentelemetry-sdk==1.45.2 opentelemetry-instrumentation-anthropic==0.62.4 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic

usage = {"input_tokens": 10, "output_tokens": 1, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 0}
usage |= {"cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 0}}
start = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5", "content": []}
start |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
events = [
    {"type": "message_start", "message": start},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 5},
    },
    {"type": "message_stop"},
]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for event in events:
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
client = anthropic.Anthropic(api_key="none", base_url=url, max_retries=0)
hello = {"model": "claude-opus-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
print(f"anthropic {anthropic.__version__}: messages.stream(...).get_final_message()")

from opentelemetry import trace
from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
AnthropicInstrumentor().instrument()
with client.messages.stream(**hello) as stream:
    print(f"the Message says {stream.get_final_message().usage.output_tokens} tokens out")
counted = {span.name: span.attributes.get("gen_ai.usage.output_tokens") for span in spans.get_finished_spans()}
for name, tokens in counted.items():
    print(f"span {name!r}: {tokens}")
print("The first is the SDK's own span. So dashboards that add up both spans see more than twice of what is billed.")
sys.exit(0 if sorted(counted.values()) == [5, 6] else 1)
PYTHON
