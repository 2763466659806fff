#!/usr/bin/env bash
set -euo pipefail
# Behaviour: batches.list(before_id=…) goes on by itself to newer and newer pages, while each page is still newest first: five batches come out as 3 4 1 2 0 (0 is the newest), neither upwards nor downwards.
# Expected: a walk in one direction: from the named batch upwards, each newer than the one before.
# Source: anthropic/pagination.py: next_page_info goes on with before_id = first_id; the API's page sorts newest first
# Here: workers/overnight_workers/stages/poll/listing.py: lists are read from the newest on by after_id

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import anthropic

IDS = [f"msgbatch_{number}" for number in range(6)]  # 0 is the newest
COUNTS = {"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0}


class Api(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        asked = {name: values[0] for name, values in parse_qs(urlparse(self.path).query).items()}
        limit = int(asked["limit"])
        if "before_id" in asked:  # the page that stands immediately before that batch, newest first
            end = IDS.index(asked["before_id"])
            page, more = IDS[max(0, end - limit) : end], end > limit
        else:
            start = IDS.index(asked["after_id"]) + 1
            page, more = IDS[start : start + limit], start + limit < len(IDS)
        rows = [
            {"id": batch, "type": "message_batch", "processing_status": "ended", "request_counts": COUNTS, "created_at": "2026-11-01T00:00:00Z",
             "expires_at": "2026-11-02T00:00:00Z", "ended_at": None, "archived_at": None, "cancel_initiated_at": None, "results_url": None}
            for batch in page
        ]
        body = json.dumps({"data": rows, "has_more": more, "first_id": page[0], "last_id": page[-1]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = anthropic.Anthropic(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}")
print(f"anthropic {anthropic.__version__}")
after = [batch.id[-1] for batch in client.messages.batches.list(after_id=IDS[0], limit=2)]
before = [batch.id[-1] for batch in client.messages.batches.list(before_id=IDS[5], limit=2)]
print("after the newest:", *after)
print("before the oldest:", *before)
print("So whoever stops at the first batch that he knows misses others.")
server.shutdown()
sys.exit(0 if after == list("12345") and before == list("34120") else 1)
PYTHON
