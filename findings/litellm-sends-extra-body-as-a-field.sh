#!/usr/bin/env bash
set -euo pipefail
# Behaviour: to Anthropic, litellm.completion(extra_body={"top_k": 1}) sends a field named extra_body with that in it.
# Expected: its fields stand in the request, as with the SDKs that know this parameter.
# Source: the anthropic and openai SDKs merge extra_body into the body; LiteLLM's transformation for Anthropic keeps parameters that it doesn't know by their names
# Here: models/overnight_models/request/request.py: `extra_body` in params is refused, with what to do

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check litellm==1.110.2 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import http.server, json, os, sys, threading
from importlib.metadata import version

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm

ANSWER = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
          "content": [{"type": "text", "text": "ok"}], "usage": {"input_tokens": 1, "output_tokens": 1}}
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
messages = [{"role": "user", "content": "a"}]
litellm.completion("anthropic/claude-haiku-4-5", messages=messages, api_base=url, api_key="none", max_tokens=9, extra_body={"top_k": 1})
litellm.completion("anthropic/claude-haiku-4-5", messages=messages, api_base=url, api_key="none", max_tokens=9, top_k=1)
first, second = ({name: value for name, value in body.items() if name != "messages"} for body in asked)
print(f"litellm {version('litellm')}\nwith extra_body: {first}\nwith top_k itself: {second}")
print("So what is meant for a newer parameter arrives under a name that the API doesn't know, which a batch tells when it has ended.")
sys.exit(0 if first.get("extra_body") == {"top_k": 1} and "top_k" not in first and second.get("top_k") == 1 else 1)
PYTHON
