#!/usr/bin/env bash
set -euo pipefail
# Behaviour: an Agent of pydantic-ai without max_tokens asks for the most that its table says of the model (64,000), and run_sync, which returns one whole answer, then sends a streamed request.
# Expected: some small default (the SDK's own examples say 1024), and an ordinary request, since nobody asked for a stream.
# Source: pydantic_ai/models/anthropic: the profile's maximum is the default, and beyond the SDK's bound for plain requests it streams
# Here: models/overnight_models/request/worst_case.py: what such a request may cost is what a strict budget reserves; a batch refuses stream

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydantic-ai-slim[anthropic]==2.68.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import anthropic
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None, "stop_sequence": None,
           "usage": {"input_tokens": 1, "output_tokens": 1}}
EVENTS = (
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
)
asked = []


class Api(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        asked.append((body["max_tokens"], body.get("stream", False)))
        if body.get("stream"):
            kind, answer = "text/event-stream", "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in EVENTS)
        else:
            kind, answer = "application/json", json.dumps(MESSAGE | {"content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"})
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())


server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = anthropic.AsyncAnthropic(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}")
agent = Agent(AnthropicModel("claude-sonnet-4-5", provider=AnthropicProvider(anthropic_client=client)))
print(f"pydantic-ai {version('pydantic-ai-slim')}, anthropic {anthropic.__version__}")
for settings in (None, {"max_tokens": 500}):
    print(f"{settings or 'no settings'}: answered {agent.run_sync('hi', model_settings=settings).output!r}, asked max_tokens and stream {asked[-1]}")
print("So a service that moves its calls from there to a batch has to name max_tokens, or reserves for 64,000 each.")
server.shutdown()
sys.exit(0 if asked == [(64000, True), (500, False)] else 1)
PYTHON
