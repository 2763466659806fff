#!/usr/bin/env bash
set -euo pipefail
# Behaviour: client.with_options(…) shares its connections with the client it came from: leaving 'with client.with_options(…)' closes both, and the first one's next call is an APIConnectionError.
# Expected: what closes the copy leaves the client it was made of alone.
# Source: anthropic/_client.py: copy hands the same http_client on; _base_client.py: close closes it
# Here: workers/overnight_workers/anthropic_api/api.py: one client for each workspace's key, and calls with their own options

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import http.server, json, sys, threading

import anthropic

ANSWER = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
          "content": [{"type": "text", "text": "ok"}], "usage": {"input_tokens": 1, "output_tokens": 1}}


class Answers(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = anthropic.Anthropic(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}", max_retries=0)
params = {"model": "claude-haiku-4-5", "max_tokens": 5, "messages": [{"role": "user", "content": "a"}]}
with client.with_options(timeout=5) as patient:
    print(f"anthropic {anthropic.__version__}\nthe copy: {patient.messages.create(**params).content[0].text}")
try:
    seen = client.messages.create(**params).content[0].text
except anthropic.APIConnectionError as error:
    seen = f"{type(error).__name__}: {error}, for: {error.__cause__}"
print(f"the client it was made of, afterwards: {seen}")
print("So a call with options of its own ends all calls of its process.")
sys.exit(0 if seen.startswith("APIConnectionError") and "closed" in seen else 1)
PYTHON
