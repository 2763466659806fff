#!/usr/bin/env bash
set -euo pipefail
# Behaviour: litellm.batch_completion and ChatAnthropic.batch send one POST /v1/messages for each prompt, at once and at the full price; neither touches /v1/messages/batches.
# Expected: a function called batch sends a Message Batch, at half the price.
# Source: LiteLLM's page on batching, which means many calls at once; langchain-core's Runnable.batch: threads
# Here: producers/README.md: a product hands its requests over instead

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check litellm==1.110.2 langchain-anthropic==1.7.10 langchain-core==1.8.3 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import http.server, json, os, sys, threading
from importlib.metadata import version

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
from langchain_anthropic import ChatAnthropic

ANSWER = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
          "content": [{"type": "text", "text": "ok"}], "usage": {"input_tokens": 1, "output_tokens": 1}}
asked = []


class Answers(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        asked.append(self.path)
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
print(f"litellm {version('litellm')}, langchain-anthropic {version('langchain-anthropic')}")
litellm.batch_completion("anthropic/claude-haiku-4-5", messages=[[{"role": "user", "content": word}] for word in "abc"], api_base=url, api_key="none")
by_litellm = asked.copy()
asked.clear()
ChatAnthropic(model="claude-haiku-4-5", base_url=url, api_key="none").batch(["a", "b", "c"])
print(f"litellm.batch_completion of three: {by_litellm}\nChatAnthropic.batch of three: {asked}")
print("So a service that moves to a function called batch pays what it paid before.")
sys.exit(0 if by_litellm == asked == ["/v1/messages"] * 3 else 1)
PYTHON
