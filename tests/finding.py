"""Where a text can be found: in each table and column, in each key of a Redis, in each file of a directory."""

from __future__ import annotations

import base64
import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg import sql

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_FRAME = b"\x28\xb5\x2f\xfd"
"""What begins each frame of zstd."""
_IN_BASE64 = re.compile(rb"KLUv/[A-Za-z0-9+/]+")
"""The same in base64, as messages have it."""


def in_tables(database_url: str, text: str) -> set[str]:
    """The columns, as `table.column`, in which the text is, also where they are compressed."""
    found = set()
    with psycopg.connect(database_url) as connection:
        for table in _tables(connection):
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
                names = [column.name for column in cursor.description or ()]
                for row in cursor:
                    found |= {f"{table}.{name}" for name, value in zip(names, row, strict=True) if _holds(value, text)}
    return found


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    """Tables that hold rows: partitions, and what isn't divided into them."""
    rows = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY 1"
    )
    return [str(name) for (name,) in rows]


def in_redis(redis_url: str, text: str) -> set[str]:
    """The keys in whose values, of whatever kind, the text is."""
    found = set()
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter():
            if any(_holds(value, text) for value in _values(client, key)):
                found.add(key.decode())
    return found


def _values(client: redis.Redis, key: bytes) -> Iterator[bytes]:
    kind = client.type(key)
    if kind == b"string":
        yield client.get(key) or b""  # type: ignore[misc]
    elif kind == b"list":
        yield from client.lrange(key, 0, -1)  # type: ignore[misc]
    elif kind == b"hash":
        yield from client.hvals(key)  # type: ignore[misc]
    elif kind == b"set":
        yield from client.smembers(key)  # type: ignore[misc]
    elif kind == b"zset":
        yield from client.zrange(key, 0, -1)  # type: ignore[misc]
    elif kind != b"none":  # gone meanwhile
        raise AssertionError(f"{key!r} is of a kind that isn't looked into: {kind!r}")


def in_files(directory: Path, text: str) -> set[str]:
    """The files below a directory in which the text is."""
    return {
        str(path.relative_to(directory))
        for path in directory.rglob("*")
        if path.is_file() and _holds(path.read_bytes(), text)
    }


def _holds(value: object, text: str) -> bool:
    if isinstance(value, bytes):
        return text.encode() in value or any(text.encode() in part for part in _decompressed(value))
    return text in str(value)


def _decompressed(value: bytes) -> Iterator[bytes]:
    for match in _IN_BASE64.finditer(value):
        yield from _decompressed(base64.b64decode(match[0] + b"=="))
    place = value.find(_FRAME)
    while place >= 0:
        with contextlib.suppress(zstd.ZstdError):
            yield zstd.ZstdDecompressor().decompress(value[place:])
        place = value.find(_FRAME, place + 1)
