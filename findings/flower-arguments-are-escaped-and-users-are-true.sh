#!/usr/bin/env bash
set -euo pipefail
# Behaviour: in a handler that derives from Flower's BaseHandler, get_argument gives the text escaped for HTML ("copy &amp; paste"), and current_user is True with basic auth, not a name.
# Expected: what Tornado gives: the text that was sent; the user that get_current_user has found.
# Source: flower/views/__init__.py: get_argument, get_current_user
# Here: workers/overnight_workers/flower_tab: filters, and who did what

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check flower==2.2.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import asyncio, base64, json, sys
from importlib.metadata import version
from types import SimpleNamespace
from urllib.parse import quote

import tornado.web
from flower.views import BaseHandler
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port


class Ours(BaseHandler):
    @tornado.web.authenticated
    def get(self):
        plain = tornado.web.RequestHandler.get_argument(self, "lane")
        self.write(json.dumps({"flower": self.get_argument("lane"), "tornado": plain, "user": self.current_user}))


async def main():
    app = tornado.web.Application([("/", Ours)])
    app.options = SimpleNamespace(basic_auth=["anna:word"], auth=None, url_prefix="")
    socket, port = bind_unused_port()
    HTTPServer(app).add_sockets([socket])
    credentials = base64.b64encode(b"anna:word").decode()
    url = f"http://127.0.0.1:{port}/?lane={quote('copy & paste')}"
    answer = await AsyncHTTPClient().fetch(url, headers={"Authorization": f"Basic {credentials}"})
    return json.loads(answer.body)


print(f"flower {version('flower')}, tornado {tornado.version}")
seen = asyncio.run(main())
for name, value in seen.items():
    print(f"{name}: {value!r}")
print("So a filter by a name with & finds nothing, and a log of who did it says True.")
sys.exit(0 if seen == {"flower": "copy &amp; paste", "tornado": "copy & paste", "user": True} else 1)
PYTHON
