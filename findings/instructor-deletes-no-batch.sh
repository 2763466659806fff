#!/usr/bin/env bash
set -euo pipefail
# Behaviour: instructor's delete_batch for Anthropic sends no DELETE: it reads the batch and says that the API can't delete batches.
# Expected: DELETE /v1/messages/batches/{id}, which the API and its SDK have.
# Source: instructor/batch/providers/anthropic.py: delete_batch; anthropic/resources/messages/batches.py: delete
# Here: nothing: ours calls the API itself

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check instructor==1.17.0 anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, os, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

calls = []
batch = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "ended",
    "request_counts": {"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0},
    "created_at": "2026-11-01T00:00:00Z",
    "expires_at": "2026-11-02T00:00:00Z",
    "ended_at": "2026-11-01T00:05:00Z",
}


class Handler(BaseHTTPRequestHandler):
    def answer(self):
        calls.append(f"{self.command} {self.path.split('?')[0]}")
        deleted = {"id": "msgbatch_1", "type": "message_batch_deleted"}
        body = json.dumps(deleted if self.command == "DELETE" else batch).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_DELETE = answer

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ |= {"ANTHROPIC_API_KEY": "none", "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.server_port}"}

import anthropic
from instructor.batch.providers.anthropic import AnthropicProvider

print(f"instructor {version('instructor')}, anthropic {anthropic.__version__}")
said = AnthropicProvider().delete_batch("msgbatch_1")
print(f"delete_batch: {said}; calls: {calls}")
through_instructor = list(calls)
anthropic.Anthropic().messages.batches.delete("msgbatch_1")
print(f"batches.delete of the SDK: {calls[-1]}")
print("So prompts and answers that should be gone stay at the API for 29 days.")
sys.exit(0 if all(call.startswith("GET") for call in through_instructor) and calls[-1].startswith("DELETE") else 1)
PYTHON
