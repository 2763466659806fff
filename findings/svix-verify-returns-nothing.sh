#!/usr/bin/env bash
set -euo pipefail
# Behaviour: Webhook.verify of svix returns None for a right signature; that of standardwebhooks, with the same arguments and headers, returns the parsed body.
# Expected: the same from both: they sign by one specification, and each takes what the other has signed.
# Source: the verify methods of svix.webhooks and standardwebhooks.webhooks
# Here: nothing yet: how a product checks a webhook

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check svix==2.9.1 standardwebhooks==1.1.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import base64, sys
from datetime import datetime, timezone
from importlib.metadata import version

import standardwebhooks.webhooks
import svix.webhooks

secret = "whsec_" + base64.b64encode(bytes(range(24))).decode()
body, now = '{"done": true}', datetime.now(timezone.utc)
makers = {"svix": svix.webhooks.Webhook, "standardwebhooks": standardwebhooks.webhooks.Webhook}
for name in makers:
    print(f"{name} {version(name)}")
seen = {}
for signer, make in makers.items():
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": make(secret).sign("msg_1", now, body),
    }
    for verifier, read in makers.items():
        seen[verifier] = read(secret).verify(body, headers)
        print(f"signed by {signer}, verified by {verifier}: {seen[verifier]!r}")
print("So a handler that goes on with what verify returns gets None from one of the two, and no error.")
sys.exit(0 if seen == {"svix": None, "standardwebhooks": {"done": True}} else 1)
PYTHON
