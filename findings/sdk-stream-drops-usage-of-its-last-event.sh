#!/usr/bin/env bash
set -euo pipefail
# Behaviour: of the usage in message_delta some fields are taken over into the final Message; cache_creation, iterations and service_tier aren't.
# Expected: the final usage is the last one that the API sent, with every field of it.
# Source: anthropic/lib/streaming/_messages.py: accumulate_event; the API's page on streaming: the usage of message_delta is cumulative
# Here: workers/overnight_workers/stages/direct: usage is merged key by key, since it is what is paid

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 || exit 2

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
        "usage": {
            "input_tokens": 10,
            "output_tokens": 5,
            "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
            "iterations": [{"type": "compaction", "input_tokens": 900, "output_tokens": 50}],
            "service_tier": "priority",
            "server_tool_use": {"web_search_requests": 2},
        },
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

with client.messages.stream(**hello) as stream:
    got = stream.get_final_message().usage.to_dict()
said = events[-2]["usage"]
kept = [name for name in said if got.get(name) == said[name]]
lost = [name for name in said if got.get(name) != said[name]]
print(f"sent at the end: {said}")
print(f"in the Message:  {got}")
print(f"taken over: {kept}; not: {lost}")
print("So a bill from a streamed Message misses what was only known at the end: gather the events instead.")
sys.exit(0 if lost == ["cache_creation", "iterations", "service_tier"] else 1)
PYTHON
