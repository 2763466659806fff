#!/usr/bin/env bash
set -euo pipefail
# Behaviour: anthropic warns of a model that will end, and is silent when it has ended.
# Expected: the warning of a model that is no more is at least as loud.
# Source: anthropic/_data/deprecated_models.py holds no retired model since 2.13
# Here: models/overnight_models/request/traps.py warns of both; models/overnight_models/money/prices.toml has the days

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys, threading, warnings
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
        body = json.dumps({"type": "error", "error": {"type": "not_found_error", "message": "model"}}).encode()
        self.send_response(404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = anthropic.Anthropic(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}")
print(f"anthropic {anthropic.__version__}: warnings of messages.create")
found = {}
for model in ("claude-opus-4-5", "claude-opus-4-20250514", "claude-3-5-haiku-20241022"):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            client.messages.create(model=model, max_tokens=5, messages=[{"role": "user", "content": "Hi"}])
        except anthropic.NotFoundError:
            pass
    found[model] = [str(one.message).splitlines()[0] for one in caught if one.category is DeprecationWarning]
    print(f"{model}: {found[model] or 'none'}")
print("So whoever waits for the warning of a model that ended waits for ever; a batch fails when it has ended.")
sys.exit(0 if [bool(words) for words in found.values()] == [True, False, False] else 1)
PYTHON
