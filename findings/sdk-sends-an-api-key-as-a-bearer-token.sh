#!/usr/bin/env bash
set -euo pipefail
# Behaviour: Anthropic(api_key=…) sends the key as Authorization: Bearer, and no x-api-key at all.
# Expected: x-api-key, as in each example of the API's pages; Authorization is for auth_token.
# Source: anthropic/_client.py: _api_key_auth
# Here: workers/overnight_workers/keys/key_auth.py: a key is sent in both, since a gateway may look for either

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic

ANSWER = json.dumps({"input_tokens": 1}).encode()
sent = []


class Api(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        sent.append((self.headers["x-api-key"], self.headers["authorization"]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)


server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
print(f"anthropic {anthropic.__version__}")
for given in ({"api_key": "a-key"}, {"auth_token": "a-token"}):
    client = anthropic.Anthropic(base_url=url, **given)
    client.messages.count_tokens(model="claude-haiku-5-5", messages=[{"role": "user", "content": "hi"}])
    print(f"{given}: x-api-key {sent[-1][0]}, Authorization {sent[-1][1]}")
print("So a gateway, a mask of logs or a mock that goes by x-api-key sees no key.")
server.shutdown()
sys.exit(0 if sent == [(None, "Bearer a-key"), (None, "Bearer a-token")] else 1)
PYTHON
