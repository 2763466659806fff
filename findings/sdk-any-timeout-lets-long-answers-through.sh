#!/usr/bin/env bash
set -euo pipefail
# Behaviour: anthropic refuses long answers that aren't streamed, but not when a timeout is given, be it the default one.
# Expected: what counts is how long the timeout is: the default 600 s, given as a number, changes nothing.
# Source: anthropic/resources/messages/messages.py: create; anthropic/_constants.py: DEFAULT_TIMEOUT
# Here: workers/overnight_workers/anthropic_api/api.py: clients have a timeout of their own

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic

seen = []

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        seen.append(dict(self.headers))
        self.answer()

    def do_GET(self):
        seen.append(dict(self.headers) | {"path": self.path})
        self.answer()

    def log_message(self, *_):
        pass

    def answer(self):
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5", "usage": usage}
        body = json.dumps(message | {"content": [], "stop_reason": "end_turn", "stop_sequence": None}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
print(f"anthropic {anthropic.__version__}: messages.create without a stream")
found = []
for options in ({}, {"timeout": 600.0}):
    client = anthropic.Anthropic(api_key="none", base_url=url, **options)
    for most in (21_333, 21_334):
        try:
            client.messages.create(
                model="claude-opus-5", max_tokens=most, messages=[{"role": "user", "content": "Hi"}]
            )
            found.append("sent")
        except ValueError as error:
            found.append("refused")
        print(f"Anthropic({options}), max_tokens {most}: {found[-1]}; client.timeout is {client.timeout}")
print("So a timeout given as a number also takes away the 5 seconds for connecting, and the guard against long waits.")
sys.exit(0 if found == ["sent", "refused", "sent", "sent"] else 1)
PYTHON
