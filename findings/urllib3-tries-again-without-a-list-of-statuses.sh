#!/usr/bin/env bash
set -euo pipefail
# Behaviour: urllib3's Retry(3), with no status_forcelist, repeats a GET after 413, 429 or 503 where the answer has a Retry-After, waits up to six hours for it, and turns an answer with "Retry-After: 1.5" into an InvalidHeader error.
# Expected: no status is a reason before status_forcelist names one; a header that can't be read is passed over.
# Source: urllib3/util/retry.py: RETRY_AFTER_STATUS_CODES, DEFAULT_RETRY_AFTER_MAX, parse_retry_after
# Here: nothing: tries again are the ledger's, and no library beneath it has tries of its own

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check urllib3==2.8.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import http.server, sys, threading
from importlib.metadata import version

import urllib3


class Busy(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self):
        self.asked.append(self.path)
        self.send_response(503)
        after = self.path.removeprefix("/")
        if after != "none":
            self.send_header("Retry-After", after)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"urllib3 {version('urllib3')}, Retry(total=3, raise_on_status=False)")
seen = {}
for after in ("none", "0", "1.5"):
    Busy.asked.clear()
    with urllib3.PoolManager(retries=urllib3.Retry(total=3, raise_on_status=False)) as pool:
        try:
            result = str(pool.request("GET", f"http://127.0.0.1:{server.server_port}/{after}").status)
        except Exception as error:
            result = f"{type(error).__name__}: {error}"
    seen[after] = (len(Busy.asked), result.split(":")[0])
    print(f"503, Retry-After {after}: asked {len(Busy.asked)} times, {result}")
longest = urllib3.Retry(3).parse_retry_after("Fri, 31 Dec 2077 23:59:59 GMT")
print(f"the longest wait, for a date in 2077: {longest} s")
server.shutdown()
print("So a caller's own loop of tries has another loop within it.")
sys.exit(0 if seen == {"none": (1, "503"), "0": (4, "503"), "1.5": (1, "InvalidHeader")} and longest == 21600 else 1)
PYTHON
