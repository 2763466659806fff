#!/usr/bin/env bash
set -euo pipefail
# Behaviour: anthropic sends the body of an iterator piece by piece, without chunked encoding, when a content-length is given.
# Expected: an iterator has no length for an HTTP client: it is sent chunked, or read into memory first.
# Source: anthropic/_base_client.py: post(content=…); httpx2/_content.py: encode_content
# Here: workers/overnight_workers/anthropic_api/api.py: create, in flat memory, the last piece held back

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import httpx2

arrived, sent = threading.Event(), []
seen = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        seen["headers"] = {name.lower(): value for name, value in self.headers.items()}
        first = self.rfile.read(len(PIECES[0]))
        seen["first"] = first
        arrived.set()
        seen["rest"] = self.rfile.read(int(self.headers["content-length"]) - len(first))
        body = json.dumps({"id": "msgbatch_1"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


PIECES = [b'{"requests":[' + b" " * 100_000, b"]}"]


def pieces():
    yield PIECES[0]
    # the server has the first piece before the second one is made
    sent.append(arrived.wait(10))
    yield PIECES[1]


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = anthropic.Anthropic(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}", max_retries=0)
size = sum(map(len, PIECES))
headers = {"content-type": "application/json", "content-length": str(size)}
client.post("/v1/messages/batches", cast_to=object, content=pieces(), options={"headers": headers})
told = {name: seen["headers"].get(name) for name in ("content-length", "transfer-encoding")}
print(f"anthropic {anthropic.__version__}, httpx2 {httpx2.__version__}: client.post(content=an iterator) with content-length")
print(f"headers: {told}; the first piece had arrived before the last one was made: {sent == [True]}")
print("So a batch of 256 MB is sent in flat memory, and the last piece can be held back until it may be sent.")
whole = seen["first"] + seen["rest"] == b"".join(PIECES)
sys.exit(0 if told == {"content-length": str(size), "transfer-encoding": None} and sent == [True] and whole else 1)
PYTHON
