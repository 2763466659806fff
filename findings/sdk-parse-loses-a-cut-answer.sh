#!/usr/bin/env bash
set -euo pipefail
# Behaviour: messages.parse raises pydantic's ValidationError for an answer cut at max_tokens and for a refusal; the paid Message can't be had.
# Expected: a Message with its stop_reason and parsed_output None, or an anthropic error that carries the Message.
# Source: anthropic/lib/_parse/_response.py; the API's page on structured outputs: what a refusal and max_tokens do to the schema
# Here: workers/overnight_workers/stages/collect/results.py: the stop reason is looked at before the schema, and the message is kept

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 pydantic==2.14.4 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import pydantic

answers = {"max_tokens": '{"name": "Ad', "refusal": "I can't help with that."}
usage = {"input_tokens": 10, "output_tokens": 5}
message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5", "usage": usage}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        content = [{"type": "text", "text": answers[reason]}]
        body = json.dumps(message | {"content": content, "stop_reason": reason, "stop_sequence": None}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Person(pydantic.BaseModel):
    name: str


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = anthropic.Anthropic(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}", max_retries=0)
print(f"anthropic {anthropic.__version__}, pydantic {pydantic.VERSION}: messages.parse(output_format=Person)")
held = True
for reason in answers:
    try:
        hello = [{"role": "user", "content": "Hi"}]
        client.messages.parse(model="claude-opus-5", max_tokens=100, messages=hello, output_format=Person)
        held = False
    except (pydantic.ValidationError, anthropic.APIError) as error:
        has = [name for name in ("message", "response", "body", "usage") if hasattr(error, name)]
        print(f"stop_reason {reason}: {type(error).__module__}.{type(error).__name__}, with {has or 'nothing of the answer'}")
        held = held and isinstance(error, pydantic.ValidationError) and not has
print("So a service that parses this way can neither see why nor book what it paid.")
sys.exit(0 if held else 1)
PYTHON
