#!/usr/bin/env bash
set -euo pipefail
# Behaviour: params= of httpx2 doesn't add to a URL's query, it replaces it: /list?lane=a with params={'page': 2} asks for /list?page=2, and params={} for /list.
# Expected: both: requests and aiohttp's users know it so.
# Source: httpx2/_urls.py: URL takes params as its whole query; copy_merge_params adds
# Here: workers/overnight_workers/anthropic_api/http_client.py: pages are asked for by params alone; a webhook's own query stays as it is (webhooks/posting.py)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check httpx2==2.16.2 requests==2.34.2 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version

import httpx2
import requests

url = "http://api.example/list?lane=a"
print(f"httpx2 {version('httpx2')}, requests {version('requests')}, {url}")
seen = {}
for params in ({"page": 2}, {}):
    ours, theirs = str(httpx2.Request("GET", url, params=params).url), requests.Request("GET", url, params=params).prepare().url
    seen[str(params)] = (ours.partition("/list")[2], theirs.partition("/list")[2])
    print(f"params={params}: httpx2 {ours}; requests {theirs}")
merged = str(httpx2.URL(url).copy_merge_params({"page": 2})).partition("/list")[2]
print(f"URL.copy_merge_params: {merged}")
print("So page 2 is of all lanes, and a token in a query is gone; nothing is raised.")
sys.exit(0 if list(seen.values()) == [("?page=2", "?lane=a&page=2"), ("", "?lane=a")] and merged == "?lane=a&page=2" else 1)
PYTHON
