#!/usr/bin/env bash
set -euo pipefail
# Behaviour: async_scoped_session stands for the AsyncSession of its scope in execute, add, commit and their like, and has neither run_sync nor sync_session: AttributeError.
# Expected: what takes an AsyncSession takes its scoped form too.
# Source: SQLAlchemy proxies named methods and attributes onto async_scoped_session, and these two aren't among them
# Here: producers/overnight_producers: enqueue(…, session=…) calls a scoped session for the one of this scope

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sqlalchemy[asyncio]==2.1.9 aiosqlite==0.22.1 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import asyncio, sys

import sqlalchemy
from sqlalchemy.ext.asyncio import async_scoped_session, async_sessionmaker, create_async_engine


async def main():
    engine = create_async_engine("sqlite+aiosqlite://")
    scoped = async_scoped_session(async_sessionmaker(engine), scopefunc=asyncio.current_task)
    one = (await scoped.execute(sqlalchemy.text("SELECT 1"))).scalar_one()
    lacks = [name for name in ("run_sync", "sync_session", "connection", "flush", "get_bind") if not hasattr(scoped, name)]
    has = await scoped().run_sync(lambda session: session.execute(sqlalchemy.text("SELECT 2")).scalar_one())
    print(f"sqlalchemy {sqlalchemy.__version__}\nscoped.execute: {one}\nit lacks: {lacks}\nscoped().run_sync: {has}")
    await scoped.remove()
    await engine.dispose()
    return lacks


print_lacks = asyncio.run(main())
print("So code that works with an application's session fails with the session that its framework hands out.")
sys.exit(0 if print_lacks == ["run_sync", "sync_session"] else 1)
PYTHON
