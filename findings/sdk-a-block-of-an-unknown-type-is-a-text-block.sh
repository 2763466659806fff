#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a content block whose type this version doesn't know becomes a TextBlock: isinstance says so, its type is the unknown word, its text is missing.
# Expected: an object of no known class, or an error.
# Source: anthropic/_models.py: what no member of a union fits is built as its first member, unchecked
# Here: models/overnight_models/wire/answer.py: blocks are read by their type, from the answer's own bytes

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import http.server, json, sys, threading

import anthropic

ANSWER = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
          "content": [{"type": "a_type_of_next_year", "payload": {"a": 1}}], "usage": {"input_tokens": 1, "output_tokens": 1}}


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
client = anthropic.Anthropic(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}")
block = client.messages.create(model="claude-haiku-4-5", max_tokens=5, messages=[{"role": "user", "content": "a"}]).content[0]
text = getattr(block, "text", "no such attribute")
print(f"anthropic {anthropic.__version__}\nthe block: {block!r}\nisinstance TextBlock: {isinstance(block, anthropic.types.TextBlock)}\nits text: {text!r}")
print("So code that asks isinstance before it joins the texts fails on a new kind of block, or joins what isn't there.")
sys.exit(0 if isinstance(block, anthropic.types.TextBlock) and block.type == "a_type_of_next_year" and text is None else 1)
PYTHON
