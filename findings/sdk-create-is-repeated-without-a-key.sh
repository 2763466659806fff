#!/usr/bin/env bash
set -euo pipefail
# Behaviour: anthropic sends the create of a batch three times when the answer is 529, and no header lets the API see that it is one.
# Expected: a create isn't repeated, or it is repeated with an idempotency key.
# Source: anthropic/_base_client.py: max_retries is 2 for every method; _idempotency_header is None
# Here: workers/overnight_workers/anthropic_api/http_client.py: nothing is sent twice; workers/overnight_workers/stages/protocol.py

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
        body = json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}).encode()
        self.send_response(529)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = anthropic.Anthropic(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}")
params = {"model": "claude-haiku-5-5", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
try:
    client.messages.batches.create(requests=[{"custom_id": "a", "params": params}])
except anthropic.APIStatusError as error:
    print(f"anthropic {anthropic.__version__}: one call of batches.create, and then {type(error).__name__}")
keys = [name for headers in seen for name in headers if "idempot" in name.lower()]
counts = [headers.get("x-stainless-retry-count") for headers in seen]
print(f"creates that reached the server: {len(seen)}, numbered {counts}; headers with an idempotency key: {keys}")
print("So a create whose answer got lost may be running when the next one is accepted: both are billed.")
sys.exit(0 if len(seen) == 3 and not keys else 1)
PYTHON
