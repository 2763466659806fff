"""`overnight links`: the outcome that a signed link is for, over HTTP. It reads the ledger and nothing else.

| answer | |
|---|---|
| 200 | the outcome's document, with its `message` |
| 403 | it isn't a link of this installation, or was changed |
| 410 | its time is over |
| 404 | the answer isn't there any more: purged, or kept no longer |
| 413 | it is larger than is sent by a link |
| 503 | it can't be read now: the ledger is away, or the key that it is encrypted by; `Retry-After` |

**Invariant:** without a link that is good nothing of an item is said, not even that it is there; no token is logged.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from overnight_models.errors import BadSettings, BadSignature, OvernightError
from overnight_models.ledger import answer as ledger
from overnight_models.ledger import documents
from overnight_models.ledger.bodies import encryption
from overnight_models.ledger.database import Database
from overnight_workers.keys.encryption_keys import ConfiguredKeys
from overnight_workers.links import secrets, token
from overnight_workers.links.making import MOST_BYTES, PATH
from overnight_workers.settings import settings
from overnight_workers.telemetry import logs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_AT_ONCE: Final = 4
"""Answers that are read at once: each may have megabytes."""
_WAITING: Final = 100
_STATEMENT_TIMEOUT_S: Final = 10.0
_AGAIN_S: Final = "30"
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

log = logs.get(__name__)


class _Answer(NamedTuple):
    """What is answered."""

    status: int
    body: bytes


def _refused(status: int, why: str) -> _Answer:
    return _Answer(status, orjson.dumps({"error": why}))


def _unreadable(named: token.Named, why: str) -> _Answer:
    log.error("an answer can't be read", item=named.item_id, why=why)
    return _refused(503, "its answer can't be read at the moment")


class Reader:
    """Reads outcomes for whoever has a good link to them."""

    def __init__(self) -> None:
        self._database = Database(
            settings().database_url,
            name="overnight links",
            statement_timeout_s=_STATEMENT_TIMEOUT_S,
            options=encryption.options(ConfiguredKeys()),
        )
        self._database.keep(_AT_ONCE)

    def close(self) -> None:
        """End its connections."""
        self._database.close()

    def answer(self, given: str) -> _Answer:
        """What a token's link is answered. Never raises for what may be wrong with it, or with the ledger."""
        try:
            named = token.read(secrets.current(), given)
        except BadSignature as error:
            return _refused(403, str(error))
        except BadSettings as error:
            log.error("links can't be verified", why="; ".join(error.faults))
            return _refused(503, "links can't be verified at the moment")
        if named.until <= datetime.now(UTC):
            return _refused(410, f"this link was good until {named.until.isoformat()}: {_OTHERWISE}")
        try:
            answered = self._outcome(named)
        except encryption.NoKey as error:
            answered = _unreadable(named, str(error))
        except (OvernightError, SQLAlchemyError) as error:
            log.error("the ledger can't be read", why=" ".join(str(error).split()))
            answered = _refused(503, "the ledger can't be read at the moment")
        log.info("answer asked for", item=named.item_id, status=answered.status, bytes=len(answered.body))
        return answered

    def _outcome(self, named: token.Named) -> _Answer:
        with self._database.snapshot() as connection:
            row = ledger.read_item(connection, named.item_id)
        if row is None or row.receipt != named.receipt or row.ok is None:
            return _refused(404, "the ledger has no such outcome any more")
        if row.unreadable is not None:
            return _unreadable(named, row.unreadable)
        if row.message is None:
            return _refused(404, "its answer isn't kept any more")
        if len(row.message) > MOST_BYTES:
            return _refused(413, f"its answer is too large for a link: {_OTHERWISE}")
        return _Answer(200, orjson.dumps(documents.document(row)))


_OTHERWISE: Final = "`overnight.outcome`, or the question `outcome`, has it"


def build(reader: Reader) -> Starlette:
    """The server's application; it closes the reader at its end."""
    threads = ThreadPoolExecutor(_AT_ONCE, "answer")

    async def answer(request: Request) -> Response:
        given = request.path_params["token"]
        status, body = await asyncio.get_running_loop().run_in_executor(threads, reader.answer, given)
        again = {"retry-after": _AGAIN_S} if status == 503 else {}
        return Response(body, status, _HEADERS | again, "application/json")

    async def health(_request: Request) -> Response:
        return Response(b"ok\n", headers=_HEADERS, media_type="text/plain")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        threads.shutdown(cancel_futures=True)
        reader.close()

    ways = [Route(PATH + "{token}", answer, methods=["GET"]), Route("/health", health, methods=["GET"])]
    return Starlette(routes=ways, lifespan=lifespan)


def check() -> None:
    """Raises BadSettings where nothing could be answered."""
    secrets.current()
    settings().require_urls("database_url")


def bound(host: str, port: int) -> socket.socket:
    """What the server listens on. Raises BadSettings where that can't be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise BadSettings(
            [f"`overnight links` can't listen on {host}, port {port} ({error}): name another by --host and --port"]
        ) from error


def serve(listens: socket.socket, *, tls: Sequence[str] = ()) -> None:
    """Serve until told to stop. tls: files with a certificate and its key (PEM); without, HTTP."""
    import uvicorn

    certificate, key = tls or (None, None)
    config = uvicorn.Config(
        build(Reader()),
        ws="none",
        access_log=False,  # it would have the tokens
        log_config=None,
        server_header=False,
        limit_concurrency=_WAITING,
        timeout_graceful_shutdown=10,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    uvicorn.Server(config).run(sockets=[listens])
