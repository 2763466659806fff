#!/usr/bin/env bash
set -euo pipefail
# Behaviour: with_structured_output(Model, method="json_schema") makes a valid object of an answer that max_tokens cut in the middle of a string; nothing is raised or logged.
# Expected: an error, since the JSON isn't whole and the stop reason says so.
# Source: langchain-core's JSON parser closes open strings and brackets (parse_partial_json); its output parser doesn't look at the stop reason
# Here: models/overnight_models/wire/judgement.py: an answer that was cut off is cut_off, whatever its text parses to

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check langchain-anthropic==1.7.10 langchain-core==1.8.3 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import http.server, json, sys, threading
from importlib.metadata import version

from langchain_anthropic import ChatAnthropic
from pydantic import BaseModel

ANSWER = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": "max_tokens",
          "content": [{"type": "text", "text": '{"allergens": "may contain traces of n'}], "usage": {"input_tokens": 1, "output_tokens": 9}}
asked = []


class Answers(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
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
url = f"http://127.0.0.1:{server.server_port}"


class Label(BaseModel):
    allergens: str


model = ChatAnthropic(model="claude-haiku-4-5", base_url=url, api_key="none", max_tokens=9)
seen = model.with_structured_output(Label, method="json_schema").invoke("Which allergens?")
print(f"langchain-anthropic {version('langchain-anthropic')}, langchain-core {version('langchain-core')}")
print(f"the answer: {ANSWER['content'][0]['text']}\nits stop reason: {ANSWER['stop_reason']}\nwhat the caller gets: {seen!r}")
print("So half a sentence goes into the catalog as a valid value.")
sys.exit(0 if seen == Label(allergens="may contain traces of n") else 1)
PYTHON
