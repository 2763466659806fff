#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a call with betas=[…] doesn't send the betas that the client was made with (default_headers), and a call with extra_headers doesn't send its own betas=[…]: the last named list stands alone, in silence.
# Expected: betas add up: the API takes a list, and each names a feature of its own that somebody asked for.
# Source: anthropic/resources/beta/messages/messages.py and _base_client.py: headers are merged as dictionaries
# Here: workers/overnight_workers/stages/submit/submit.py: a batch's betas are one list, made from its items

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic

ANSWER = json.dumps(
    {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "hi"}],
     "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}
).encode()
sent = []


class Api(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        sent.append(self.headers.get_all("anthropic-beta"))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)


server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = anthropic.Anthropic(
    api_key="none", base_url=f"http://127.0.0.1:{server.server_port}", default_headers={"anthropic-beta": "of-the-client"}
)
params = {"model": "claude-haiku-5-5", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
print(f"anthropic {anthropic.__version__}")
client.beta.messages.create(**params)
client.beta.messages.create(**params, betas=["of-the-call"])
client.beta.messages.create(**params, betas=["of-the-call"], extra_headers={"anthropic-beta": "extra"})
for what, header in zip(("client alone", "betas= too", "betas= and extra_headers"), sent):
    print(f"{what}: {header}")
print("So a beta that was switched on for the whole service is off in each call that names one of its own.")
server.shutdown()
sys.exit(0 if sent == [["of-the-client"], ["of-the-call"], ["extra"]] else 1)
PYTHON
