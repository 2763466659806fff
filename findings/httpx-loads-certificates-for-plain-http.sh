#!/usr/bin/env bash
set -euo pipefail
# Behaviour: each httpx client reads and parses the whole list of certificates when it is made, also one that only ever speaks plain HTTP, and once more for each proxy.
# Expected: at the first connection that needs TLS, as http.client and h11 leave it to whoever dials.
# Source: httpx's documentation: SSL, a context is made with the client; sharing a context between clients
# Here: workers/overnight_workers/anthropic_api/connections.py: a context is made when the first https address is dialled

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check httpx2==2.16.2 httpx==0.28.1 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import os, ssl, sys, time

loaded = []
load = ssl.SSLContext.load_verify_locations


def counting(self, *args, **kwargs):
    loaded.append(1)
    return load(self, *args, **kwargs)


ssl.SSLContext.load_verify_locations = counting
import httpx, httpx2

for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
    for spelled in (name, name.lower()):
        os.environ.pop(spelled, None)
seen = {}
for module in (httpx, httpx2):
    for with_proxies in (False, True):
        loaded.clear()
        if with_proxies:
            os.environ |= {"HTTP_PROXY": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1"}
        began = time.process_time()
        client = module.Client(base_url="http://127.0.0.1:1")
        took = (time.process_time() - began) * 1000
        client.close()
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            os.environ.pop(name, None)
        kind = f"{module.__name__} {module.__version__}" + (", two proxies in the environment" if with_proxies else "")
        seen[kind] = len(loaded)
        print(f"{kind}: {len(loaded)} times the list of certificates, {took:.0f} ms of a processor")
print("So a program that makes a client for each call to a neighbour pays for a TLS that it never speaks.")
plain = [count for kind, count in seen.items() if "proxies" not in kind]
proxied = [count for kind, count in seen.items() if "proxies" in kind]
sys.exit(0 if min(plain) >= 1 and all(b > a for a, b in zip(plain, proxied)) else 1)
PYTHON
