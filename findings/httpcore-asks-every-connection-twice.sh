#!/usr/bin/env bash
set -euo pipefail
# Behaviour: each request of an AsyncClient asks every connection that its pool keeps whether it has expired, twice (before it and after it): 400 looks at sockets for one request of a pool of 200.
# Expected: a pool hands out a free connection; its size costs memory, not time.
# Source: httpcore2: AsyncConnectionPool._assign_requests_to_connections
# Here: workers/overnight_workers/anthropic_api/connections.py has connections of its own

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check httpx2==2.16.2 httpcore2==2.16.2 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import asyncio, sys, time
from importlib.metadata import version

import httpcore2
import httpx2
from httpcore2 import AsyncHTTP11Connection

looks = 0
has_expired = AsyncHTTP11Connection.has_expired


def counted(connection):
    global looks
    looks += 1
    return has_expired(connection)


AsyncHTTP11Connection.has_expired = counted


async def answer(reader, writer):
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    global looks
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    seen = {}
    for size in (1, 50, 200):
        limits = httpx2.Limits(max_connections=size, max_keepalive_connections=size)
        async with httpx2.AsyncClient(limits=limits, trust_env=False) as client:
            await asyncio.gather(*(client.get(url) for _ in range(size)))
            looks, began = 0, time.process_time()
            for _ in range(100):
                await client.get(url)
            seen[size] = looks / 100
            spent = (time.process_time() - began) * 10
            print(f"{size} connections kept: {seen[size]:.0f} looks and {spent:.2f} ms of processor time for one request")
        await asyncio.sleep(0.1)
    server.close()
    return seen


print(f"httpx2 {version('httpx2')}, httpcore2 {version('httpcore2')}")
seen = asyncio.run(main())
print("So a hundred calls at once through one client pay for each other; several small clients don't.")
sys.exit(0 if seen == {1: 2, 50: 100, 200: 400} else 1)
PYTHON
