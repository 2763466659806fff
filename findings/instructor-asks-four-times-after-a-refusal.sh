#!/usr/bin/env bash
set -euo pipefail
# Behaviour: an answer whose stop reason is refusal is sent again by instructor three times, each paid, and ends as a fault of the JSON; a cut answer is asked once and named.
# Expected: a refusal is an answer; it is told at once, as one that was cut off is.
# Source: instructor's retries, of which only max_tokens is an error of its own (IncompleteOutputException); max_retries is 3 unless one says otherwise
# Here: workers/docs/catalog-runs.md: refusals are never asked again as they are

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

ANSWER = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": "refusal",
          "content": [{"type": "text", "text": "I can't help with that."}], "usage": {"input_tokens": 900, "output_tokens": 9}}
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


client = instructor.from_anthropic(anthropic.Anthropic(api_key="none", base_url=url, max_retries=0), mode=instructor.Mode.ANTHROPIC_TOOLS)
seen = {}
for reason in ("refusal", "max_tokens"):
    ANSWER["stop_reason"] = reason
    asked.clear()
    try:
        client.messages.create(model="claude-haiku-4-5", max_tokens=99, messages=[{"role": "user", "content": "a"}], response_model=Label)
    except Exception as error:
        seen[reason] = (len(asked), type(error).__name__)
        print(f"{reason}: {len(asked)} requests, then {type(error).__name__}; says refusal: {'refus' in str(error.__cause__ or '').lower()}")
print(f"instructor {version('instructor')}, anthropic {version('anthropic')}")
print("So what a model won't answer costs four times as much as what it answers.")
sys.exit(0 if seen == {"refusal": (4, "InstructorRetryException"), "max_tokens": (1, "IncompleteOutputException")} else 1)
PYTHON
