#!/usr/bin/env bash
set -euo pipefail
# Behaviour: an overloaded_error inside a stream is a plain APIStatusError whose status_code is 200.
# Expected: the OverloadedError of a 529, as the same error raises when it comes instead of an answer.
# Source: anthropic/_streaming.py: an event 'error' makes the error of the response's own status; the API's page on errors
# Here: workers/overnight_workers/stages/direct: an error event is classified by its type, other answers by their status

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
    {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
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

try:
    with client.messages.stream(**hello) as stream:
        stream.get_final_message()
    seen = None
except anthropic.APIStatusError as error:
    seen = error
    print(f"{type(error).__name__}, status_code {error.status_code}, OverloadedError: {isinstance(error, anthropic.OverloadedError)}, {error.body}")
print("So code that retries by class or by status takes an overloaded API for a fault of the request, or for no error.")
sys.exit(0 if type(seen) is anthropic.APIStatusError and seen.status_code == 200 else 1)
PYTHON
