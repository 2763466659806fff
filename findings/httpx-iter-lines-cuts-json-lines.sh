#!/usr/bin/env bash
set -euo pipefail
# Behaviour: httpx's Response.iter_lines ends a line also at U+2028, U+2029 and U+0085, which JSON writers leave as they are inside a text: of three JSON Lines come five, and three of them are no JSON. requests does so too, but only where it decodes.
# Expected: a line of a response ends at a line feed, with or without a carriage return, as of a file and of a socket.
# Source: httpx/_decoders.py: LineDecoder goes by str.splitlines, whose page lists what ends a line
# Here: workers/overnight_workers/stages/collect/results.py: results are cut at line feeds, as bytes

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check httpx==0.28.1 requests==2.32.5 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import requests

TEXTS = "one\u2028two", "three\u0085four", "five"
BODY = b"".join(json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n" for text in TEXTS)


class Api(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "application/x-jsonl; charset=utf-8")
        self.send_header("content-length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)


def good(lines):
    read = []
    for line in lines:
        try:
            read.append(json.loads(line))
        except ValueError:
            pass
    return len(lines), len(read)


server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
with httpx.stream("GET", url) as response:
    by_httpx = good(list(response.iter_lines()))
by_requests = good(list(requests.get(url, stream=True).iter_lines()))
decoded = good(list(requests.get(url, stream=True).iter_lines(decode_unicode=True)))
print(f"httpx {httpx.__version__}, requests {requests.__version__}; lines sent: {len(TEXTS)}")
print(f"httpx: {by_httpx[0]} lines, {by_httpx[1]} of them JSON")
print(f"requests: {by_requests[0]} lines, {by_requests[1]} of them JSON; decoded: {decoded[0]} and {decoded[1]}")
print("So an answer with such a sign in it, which people paste from office programs, is lost though it was paid.")
server.shutdown()
sys.exit(0 if by_httpx == (5, 1) and by_requests == (3, 3) and decoded == (5, 1) else 1)
PYTHON
