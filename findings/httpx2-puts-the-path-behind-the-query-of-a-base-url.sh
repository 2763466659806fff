#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a client of httpx2 whose base_url has a query asks /v1?key=1/messages: the path is put behind the query.
# Expected: /v1/messages?key=1, or an error for such a base_url.
# Source: httpx2/_client.py: _merge_url joins raw_path, which has the query
# Here: workers/overnight_workers/anthropic_api/realtime.py: joins its path to the base URL by URL.join

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check httpx2==2.16.2 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import http.server, sys, threading
from importlib.metadata import version

import httpx2


class Server(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self):
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}/v1?key=1"
with httpx2.Client(base_url=base, trust_env=False) as client:
    client.get("/messages")
print(f"httpx2 {version('httpx2')}: base_url /v1?key=1, get /messages asks {Server.asked[0]}")
print("So a gateway that wants its key in the URL gets a wrong key, and not a wrong path.")
sys.exit(0 if Server.asked[0].startswith("/v1") and Server.asked[0].index("?") < Server.asked[0].index("messages") else 1)
PYTHON
