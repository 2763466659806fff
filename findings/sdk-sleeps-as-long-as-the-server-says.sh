#!/usr/bin/env bash
set -euo pipefail
# Behaviour: anthropic sleeps inside a call for as long as retry-after says, an hour too; a retry-after-ms beside it wins.
# Expected: more than a minute is cut to the SDK's own pause, and retry-after, the standard header, wins.
# Source: anthropic/_base_client.py: _parse_retry_after_header, _calculate_retry_timeout
# Here: workers/overnight_workers/anthropic_api/api.py: calls without the SDK; retry_after_s reads the same headers

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic

seen, slept, asked = [], [], {}

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
        body = json.dumps({"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down"}}).encode()
        self.send_response(429)
        for name, value in asked.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = anthropic.Anthropic(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}")
# it is written down how long the SDK wants to sleep, and nobody waits for it
time.sleep = slept.append
print(f"anthropic {anthropic.__version__}: what one call of models.list sleeps between its tries, in seconds")
found = []
for asked in ({"retry-after": "3600"}, {"retry-after": "3600", "retry-after-ms": "1500"}):
    slept.clear()
    try:
        client.models.list()
    except anthropic.RateLimitError:
        print(f"{asked}: {slept}")
    found.append(list(slept))
print("So a worker that lets the SDK retry is away for two hours, and nothing says so.")
sys.exit(0 if found == [[3600.0, 3600.0], [1.5, 1.5]] else 1)
PYTHON
