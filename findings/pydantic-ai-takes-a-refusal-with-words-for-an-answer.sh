#!/usr/bin/env bash
set -euo pipefail
# Behaviour: pydantic-ai raises ContentFilterError for an answer with the stop reason refusal and no text; with a sentence in it the same is an ordinary output.
# Expected: a refusal is an error, whatever it says.
# Source: pydantic_ai/_agent_graph.py: the finish reason content_filter is looked at only where a response has no output
# Here: models/overnight_models/wire/judgement.py: a refusal is refused, with or without a text

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pydantic-ai-slim[anthropic]==2.68.0' anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import http.server, json, sys, threading
from importlib.metadata import version

from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "content": [], "stop_reason": None,
           "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1}}
asked = []


class Answers(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        if asked[-1].get("stream"):
            text, delta = {"type": "text", "text": TEXT}, {"stop_reason": STOP, "stop_sequence": None}
            events = [
                {"type": "message_start", "message": MESSAGE},
                {"type": "content_block_start", "index": 0, "content_block": text},
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}},
                {"type": "message_stop"},
            ]
            body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()
        else:
            body = json.dumps(MESSAGE | {"content": [{"type": "text", "text": TEXT}], "stop_reason": STOP}).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if asked[-1].get("stream") else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
threading.Thread(target=server.serve_forever, daemon=True).start()
provider = AnthropicProvider(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}")
agent = Agent(AnthropicModel("claude-haiku-4-5", provider=provider))
print(f"pydantic-ai-slim {version('pydantic-ai-slim')}, anthropic {version('anthropic')}")
seen, STOP = [], "refusal"
for TEXT in ("", "I can't help with that."):
    try:
        result = agent.run_sync("Describe it.", model_settings={"max_tokens": 500})
        seen.append((result.output, result.response.finish_reason))
    except Exception as error:  # of pydantic-ai's own
        seen.append(type(error).__name__)
    print(f"stop reason refusal, text {TEXT!r}: {seen[-1]}")
print("So the words of a refusal go into the catalog as a description, unless finish_reason is read.")
sys.exit(0 if seen == ["ContentFilterError", ("I can't help with that.", "content_filter")] else 1)
PYTHON
