#!/usr/bin/env bash
set -euo pipefail
# Behaviour: at DEBUG the SDK's logger writes each request's whole body; the key is left out, the prompt isn't. A root logger at DEBUG is enough.
# Expected: methods, paths and status codes, as httpx logs them.
# Source: anthropic/_base_client.py: 'Request options'; anthropic/_utils/_logs.py leaves out the API key's headers only
# Here: workers/overnight_workers/telemetry/logs.py: the SDK's logger stays at WARNING whatever level is asked for

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import http.server, io, json, logging, sys, threading

import anthropic

ANSWER = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
          "content": [{"type": "text", "text": "ok"}], "usage": {"input_tokens": 1, "output_tokens": 1}}


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
written = io.StringIO()
logging.basicConfig(level=logging.DEBUG, stream=written)
client = anthropic.Anthropic(api_key="the-key", base_url=f"http://127.0.0.1:{server.server_port}")
client.messages.create(model="claude-haiku-4-5", max_tokens=5, messages=[{"role": "user", "content": "PATIENT 7 HAS A FEVER"}])
lines = [line for line in written.getvalue().splitlines() if "PATIENT 7" in line]
print(f"anthropic {anthropic.__version__}\nlines with the prompt: {len(lines)}\n{lines[0][:90]} …" if lines else "no line has the prompt")
print(f"the key is in the log: {'the-key' in written.getvalue()}")
print("So a worker that is set to debug for an hour keeps that hour's prompts in its log.")
sys.exit(0 if lines and "the-key" not in written.getvalue() else 1)
PYTHON
