#!/usr/bin/env bash
set -euo pipefail
# Behaviour: when a stream ends before its last events, get_final_message returns what came so far as a Message; nothing is raised.
# Expected: an error, since message_delta and message_stop never came: the text is a part and its tokens aren't known.
# Source: anthropic/lib/streaming/_messages.py: get_final_message; the API's page on streaming messages
# Here: workers/overnight_workers/stages/direct: a stream is whole only with its message_stop

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
    message = stream.get_final_message()
print(f"the server closed after the first text: {message.content[0].text!r}, stop_reason {message.stop_reason}, {message.usage.output_tokens} token out")
print("So whoever keeps streamed answers looks for the stop_reason: without one it is a part of an answer.")
sys.exit(0 if message.content[0].text == "Hello" and message.stop_reason is None else 1)
PYTHON
