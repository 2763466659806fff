#!/usr/bin/env bash
set -euo pipefail
# Behaviour: of a text with an object in a fence and another behind it, instructor's JSON mode takes the last one; of two in a row, the second.
# Expected: the fenced one, or the first, or an error.
# Source: instructor reads the JSON of a text by its last brackets that fit
# Here: models/overnight_models/wire/answer.py: an answer is one JSON value, or it is invalid_output

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check instructor==1.17.0 anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import http.server, json, sys, threading
from importlib.metadata import version

import anthropic
import instructor
from pydantic import BaseModel

ANSWER = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
          "content": [], "usage": {"input_tokens": 9, "output_tokens": 9}}
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


class Price(BaseModel):
    euros: int


client = instructor.from_anthropic(anthropic.Anthropic(api_key="none", base_url=url, max_retries=0), mode=instructor.Mode.ANTHROPIC_JSON)
fence = "`" * 3
texts = {
    "a fence and a remark": f'The price:\n{fence}json\n{{"euros": 20}}\n{fence}\nLast year it was {{"euros": 10}}.',
    "two in a row": '{"euros": 20}{"euros": 10}',
}
seen = []
for name, text in texts.items():
    ANSWER["content"] = [{"type": "text", "text": text}]
    price = client.messages.create(model="claude-haiku-4-5", max_tokens=99, messages=[{"role": "user", "content": "a"}], response_model=Price)
    seen.append(price.euros)
    print(f"{name}: {text!r}\n  -> {price!r}")
print(f"instructor {version('instructor')}, anthropic {version('anthropic')}")
print("So an afterthought of a model replaces its answer.")
sys.exit(0 if seen == [10, 10] else 1)
PYTHON
