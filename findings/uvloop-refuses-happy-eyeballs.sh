#!/usr/bin/env bash
set -euo pipefail
# Behaviour: create_connection(happy_eyeballs_delay=…) is refused by uvloop with a TypeError, where asyncio's own loop takes it, as it has since Python 3.8.
# Expected: uvloop is a drop-in: what loop.create_connection takes, it takes.
# Source: uvloop/loop.pyx: create_connection has a signature of its own
# Here: workers/overnight_workers/anthropic_api/: the API's name has addresses of both kinds, and one of them may be dead

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uvloop==0.23.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import asyncio, sys
from importlib.metadata import version

import uvloop


async def dial():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        reader, writer = await asyncio.open_connection("localhost", port, happy_eyeballs_delay=0.25)
        writer.close()
        return "connected"
    except TypeError as error:
        return f"TypeError: {error}"
    finally:
        server.close()


print(f"Python {sys.version.split()[0]}, uvloop {version('uvloop')}")
seen = {"asyncio": asyncio.run(dial()), "uvloop": asyncio.Runner(loop_factory=uvloop.new_event_loop).run(dial())}
for name, what in seen.items():
    print(f"{name}: {what}")
print("So a program that was made faster by one line can't connect any more.")
sys.exit(0 if seen["asyncio"] == "connected" and seen["uvloop"].startswith("TypeError") else 1)
PYTHON
