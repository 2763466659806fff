#!/usr/bin/env bash
set -euo pipefail
# Behaviour: langchain-anthropic's usage_metadata has cache_creation 0 when the API tells the two lifetimes apart, as it does in every answer.
# Expected: the tokens that were written to the cache, as usage.cache_creation_input_tokens has them.
# Source: langchain_anthropic/chat_models.py: _create_usage_metadata
# Here: nothing yet: a product that compares our bill with its LangChain's

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 langchain-anthropic==1.7.10 langchain-core==1.8.3 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

from langchain_anthropic import ChatAnthropic

usage = {"input_tokens": 10, "output_tokens": 5, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 0}
split = {"cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 0}}
message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5"}
message |= {"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn", "stop_sequence": None}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(message | {"usage": said}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
model = ChatAnthropic(
    model="claude-opus-5", max_tokens=100, api_key="none", base_url=f"http://127.0.0.1:{server.server_port}", max_retries=0
)
print(f"langchain-anthropic {version('langchain-anthropic')}, langchain-core {version('langchain-core')}: invoke")
seen = []
for said in (usage, usage | split):
    details = model.invoke("Hi").usage_metadata["input_token_details"]
    seen.append(details["cache_creation"])
    print(f"the API: {said}")
    print(f"input_token_details: {details}")
print("So a sum of cache_creation over answers is nothing; the tokens are in the two fields beside it.")
sys.exit(0 if seen == [100, 0] else 1)
PYTHON
