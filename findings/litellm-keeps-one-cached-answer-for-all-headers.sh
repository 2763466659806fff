#!/usr/bin/env bash
set -euo pipefail
# Behaviour: LiteLLM's cache gives a call with other extra_headers (a beta, a workspace) the answer of the call without them.
# Expected: what changes the answer is in the key.
# Source: litellm/caching/caching.py: get_cache_key knows the parameters of a completion, which extra_headers isn't one of
# Here: models/overnight_models/ledger/known.py: the same key and content is the same item, and betas are content

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check litellm==1.110.2 fastapi==0.165.0 soundfile==0.14.0 orjson==3.13.0 python-multipart || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import http.server, json, os, sys, threading, time
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
litellm.cache = litellm.Cache()


def ask(**more):
    before = len(asked)
    litellm.completion("anthropic/claude-haiku-4-5", messages=[{"role": "user", "content": "a"}], api_base=url, api_key="none", max_tokens=9, caching=True, **more)
    time.sleep(0.5)
    return "asked" if len(asked) > before else "from the cache"


seen = [ask(), ask(extra_headers={"anthropic-beta": "context-1m-2025-08-07"}), ask(top_k=1)]
print(f"litellm {version('litellm')}\nthe first call: {seen[0]}\nthe same with a beta header: {seen[1]}\nthe same with top_k: {seen[2]}")
print("So a comparison with and without a beta compares an answer with itself.")
sys.exit(0 if seen == ["asked", "from the cache", "asked"] else 1)
PYTHON
