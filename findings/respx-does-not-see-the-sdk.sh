#!/usr/bin/env bash
set -euo pipefail
# Behaviour: within respx.mock the SDK's calls go out to the network as if there were no mock; calls of httpx itself are answered by the mock.
# Expected: a test that mocks httpx mocks the SDK too, as with its versions that stood on httpx.
# Source: anthropic 2 stands on httpx2; respx patches httpcore's and httpx's transports, by the names of those packages
# Here: tests: the API is played by a server over HTTP, never by a mock of the client

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 respx==0.23.1 httpx==0.28.1 || exit 2

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import http.server, json, sys, threading
from importlib.metadata import version

import anthropic, httpx, respx


def answer(text: str) -> dict[str, object]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
        "stop_sequence": None, "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 1, "output_tokens": 1},
    }


class Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(answer("by the server, and billed")).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
params = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
print(f"anthropic {anthropic.__version__}, respx {version('respx')}, httpx {httpx.__version__}, httpx2 {version('httpx2')}")
with respx.mock(assert_all_called=False) as mock:
    route = mock.post(f"{url}/v1/messages").mock(return_value=httpx.Response(200, json=answer("by the mock")))
    plain = httpx.post(f"{url}/v1/messages", json=params).json()["content"][0]["text"]
    calls = route.call_count
    by_sdk = anthropic.Anthropic(api_key="none", base_url=url, max_retries=0).messages.create(**params).content[0].text
    print(f"httpx.post is answered {plain}; the SDK's create is answered {by_sdk}; calls that the mock saw: {route.call_count}")
print("So a product's old tests call the real API after an upgrade, and pass or fail by the key that they find.")
server.shutdown()
sys.exit(0 if plain == "by the mock" and by_sdk.startswith("by the server") and calls == route.call_count == 1 else 1)
PYTHON
