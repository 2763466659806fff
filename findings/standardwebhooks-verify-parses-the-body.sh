#!/usr/bin/env bash
set -euo pipefail
# Behaviour: verify of a rightly signed body that is no JSON (a text, or empty) raises json.JSONDecodeError, not WebhookVerificationError and not nothing.
# Expected: it verifies a signature; what the body is belongs to the caller. The specification signs any bytes.
# Source: standardwebhooks.webhooks.Webhook.verify; the Standard Webhooks specification, "Payload"
# Here: nothing yet: how a product checks a webhook

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check standardwebhooks==1.1.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import base64, sys
from datetime import datetime, timezone
from importlib.metadata import version

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

webhook = Webhook("whsec_" + base64.b64encode(bytes(range(24))).decode())
now = datetime.now(timezone.utc)
print(f"standardwebhooks {version('standardwebhooks')}")
raised = []
for body in ("done", ""):
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign("msg_1", now, body),
    }
    try:
        print(f"{body!r}: {webhook.verify(body, headers)!r}")
    except Exception as error:
        raised.append(type(error).__name__)
        print(f"{body!r}: {type(error).__module__}.{raised[-1]}: {error}")
        print(f"  is it a WebhookVerificationError: {isinstance(error, WebhookVerificationError)}")
print("So who answers 401 to WebhookVerificationError answers 500 to a genuine request, which is then sent again.")
sys.exit(0 if raised == ["JSONDecodeError"] * 2 else 1)
PYTHON
