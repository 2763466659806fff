#!/usr/bin/env bash
set -euo pipefail
# Behaviour: batches.results of anthropic asks for the batch first; headers given to it go with the second call only.
# Expected: one call to the address of the results; or two, both with what the caller gave.
# Source: anthropic/resources/messages/batches.py: results
# Here: workers/overnight_workers/anthropic_api/api.py: results builds the address and makes one call

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
        url = f"http://127.0.0.1:{self.server.server_port}/v1/messages/batches/msgbatch_1/results"
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        batch = {"id": "msgbatch_1", "type": "message_batch", "processing_status": "ended", "request_counts": counts}
        line = {"custom_id": "a", "result": {"type": "expired"}}
        body = json.dumps(line if self.path.endswith("/results") else batch | {"results_url": url}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = anthropic.Anthropic(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}")
lines = list(client.messages.batches.results("msgbatch_1", extra_headers={"x-asked-by": "a reader"}, timeout=7))
print(f"anthropic {anthropic.__version__}: one call of batches.results with a header and timeout=7, {len(lines)} line")
found = []
for headers in seen:
    lower = {name.lower(): value for name, value in headers.items()}
    found.append((lower["path"].rsplit("/", 1)[-1], lower.get("x-asked-by"), lower.get("x-stainless-read-timeout")))
    print("GET {}: x-asked-by {}, read timeout {}".format(*found[-1]))
print("So a timeout or a workspace header that is given to it doesn't hold for the first of its two calls.")
expected = [("msgbatch_1", None, "600"), ("results", "a reader", "7")]
sys.exit(0 if [(a, b, str(c).removesuffix(".0")) for a, b, c in found] == expected else 1)
PYTHON
