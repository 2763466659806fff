#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a client that is given a transport ignores HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, though trust_env is true; without one it has a proxy for each.
# Expected: trust_env says what comes from the environment; the transport is for what does not go by a proxy, or an error says that both cannot be.
# Source: httpx2: Client.__init__: allow_env_proxies
# Here: workers/overnight_workers/anthropic_api/realtime.py: with a proxy in the environment the transport is httpx2's own

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check httpx2==2.16.2 || exit 2

HTTPS_PROXY=http://127.0.0.1:9 "$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import httpx2

print(f"httpx2 {version('httpx2')}, HTTPS_PROXY is set")
clients = {
    "Client()": httpx2.Client(),
    "Client(transport=HTTPTransport())": httpx2.Client(transport=httpx2.HTTPTransport()),
    "Client(transport=HTTPTransport(), trust_env=True)": httpx2.Client(transport=httpx2.HTTPTransport(), trust_env=True),
}
seen = {}
for name, client in clients.items():
    transport = client._transport_for_url(httpx2.URL("https://example.com/"))
    seen[name] = type(transport._pool).__name__
    print(f"{name} sends https://example.com by {seen[name]}")
print("So whoever sets a number of retries or a socket option leaves the proxy that the company requires.")
sys.exit(0 if list(seen.values()) == ["HTTPProxy", "ConnectionPool", "ConnectionPool"] else 1)
PYTHON
