#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a second equal call of a dspy program isn't sent: it's answered from a cache on disk that is on by default; its usage is empty, and its cost in the history is that of the first again.
# Expected: a second request; or a cost of nothing, as its usage has it.
# Source: dspy's documentation, cache; dspy/clients
# Here: models/overnight_models/money: what an item costs is counted once, when its answer comes

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dspy==3.4.1 || exit 2

cd "$folder"
DSPY_CACHEDIR=$folder/cache LITELLM_LOCAL_MODEL_COST_MAP=True "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import http.server, json, logging, sys, threading
from importlib.metadata import version

import dspy

logging.disable(logging.CRITICAL)
asked = []
answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5", "stop_reason": "end_turn",
          "content": [{"type": "text", "text": "[[ ## answer ## ]]\nblue\n\n[[ ## completed ## ]]"}],
          "usage": {"input_tokens": 1000, "output_tokens": 20}}


class Messages(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked.append(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Messages)
threading.Thread(target=server.serve_forever, daemon=True).start()
lm = dspy.LM("anthropic/claude-opus-5", api_key="none", api_base=f"http://127.0.0.1:{server.server_port}")
dspy.configure(lm=lm)
colour = dspy.Predict("question -> answer")
for _ in range(3):
    colour(question="Which colour?")
costs = [call["cost"] for call in lm.history]
tokens = [call["usage"].get("prompt_tokens", 0) for call in lm.history]
print(f"dspy {version('dspy')}: asked three times, sent {len(asked)} request")
print(f"tokens in the history: {tokens}; costs: {costs}, together {sum(costs):.4f}")
print("So what was spent by the history is a multiple of the bill.")
sys.exit(0 if len(asked) == 1 and tokens == [1000, 0, 0] and costs[0] > 0 and costs == [costs[0]] * 3 else 1)
PYTHON
