#!/usr/bin/env bash
set -euo pipefail
# Behaviour: run_sync of pydantic-ai asks Anthropic with stream: true when no max_tokens is given; with a small max_tokens it asks without.
# Expected: run_sync is one request and one answer; run_stream streams.
# Source: pydantic_ai/models/anthropic/__init__.py: _messages_create streams where the SDK would refuse a long call without a stream
# Here: workers/overnight_workers/sandbox plays both; the direct road (anthropic_api/realtime.py) says itself whether it streams

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pydantic-ai-slim[anthropic]==2.68.0' anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import http.server, json, sys, threading
from importlib.metadata import version

from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "content": [], "stop_reason": None,
           "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1}}
asked = []


class Answers(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        if asked[-1].get("stream"):
            text, delta = {"type": "text", "text": TEXT}, {"stop_reason": STOP, "stop_sequence": None}
            events = [
                {"type": "message_start", "message": MESSAGE},
                {"type": "content_block_start", "index": 0, "content_block": text},
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}},
                {"type": "message_stop"},
            ]
            body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()
        else:
            body = json.dumps(MESSAGE | {"content": [{"type": "text", "text": TEXT}], "stop_reason": STOP}).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if asked[-1].get("stream") else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
threading.Thread(target=server.serve_forever, daemon=True).start()
provider = AnthropicProvider(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}")
agent = Agent(AnthropicModel("claude-haiku-4-5", provider=provider))
print(f"pydantic-ai-slim {version('pydantic-ai-slim')}, anthropic {version('anthropic')}")
TEXT, STOP = "a red kettle", "end_turn"
streams = []
for settings in (None, {"max_tokens": 500}):
    output = agent.run_sync("What is it?", model_settings=settings).output
    streams.append(asked[-1].get("stream", False))
    print(f"run_sync, settings {settings}: stream {streams[-1]}, max_tokens {asked[-1]['max_tokens']}: {output}")
print("So a proxy or a stand-in that answers plain calls only fails, and an error may come within a stream that began with status 200.")
sys.exit(0 if streams == [True, False] and len(asked) == 2 else 1)
PYTHON
