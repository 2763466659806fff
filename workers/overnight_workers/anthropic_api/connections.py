"""HTTP connections of one event loop, kept alive: the transport under the client of what is sent in real time.

What httpcore does for each request (a look at every connection, a scope for each wait) costs more of a processor than
all the rest of a call. Here h11 reads HTTP, and a connection is taken from the end of a list. What goes wrong is raised
as httpx2 raises it: before anything was written as ConnectError or ConnectTimeout, afterwards never as these two.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Final, cast

import h11
import httpx2

_KEPT_FOR_S: Final = 30.0
"""Without use: what lies between may forget a connection sooner than it says so."""
_READ_AHEAD: Final = 1_000_000
"""Bytes that were read and not yet taken, above which nothing more is read."""
_LONGEST_HEAD: Final = 100_000
"""Bytes of an answer's head, as httpx2's own transport takes it: gateways add headers, and a call is paid by then."""
_HEADS_KEPT: Final = 100
_ALIKE: Final = h11.Request(method="POST", target="/", headers=[("host", "alike"), ("transfer-encoding", "chunked")])
"""What h11 is told was sent, where a head is written that it has made before."""
_KEEPALIVE: Final = (("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5), ("TCP_KEEPIDLE", 60))


class _Wire(asyncio.Protocol):
    """A connection's bytes."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.has_ended = False
        self._data = bytearray()
        self._lost: Exception | None = None
        self._news: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        self.transport = cast("asyncio.Transport", transport)
        own = transport.get_extra_info("socket")
        if own is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, True)
            for name, value in _KEEPALIVE:
                if hasattr(socket, name):
                    own.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._data += data
        if len(self._data) > _READ_AHEAD:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """The other side says nothing more."""
        self.has_ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self.has_ended, self._lost = True, exc
        self._wake()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come, and it stands: what comes while nothing was asked is nobody's answer."""
        return not (self._data or self.has_ended or self.transport.is_closing())

    async def read(self, within_s: float | None) -> bytes:
        """What has come, or comes next; nothing at its end."""
        if not self._data and not self.has_ended:
            self._news = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(within_s):
                await self._news
        if not self._data and self._lost is not None:
            raise self._lost
        data = bytes(self._data)
        if len(data) > _READ_AHEAD:
            self.transport.resume_reading()
        self._data.clear()
        return data

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


def _head(request: httpx2.Request) -> h11.Request:
    return h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)


class Heads:
    """Heads of requests: what is sent by the thousand differs in its length alone, and h11 checks each header anew."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], bytes] = {}

    def of(self, request: httpx2.Request, body: bytes) -> bytes | None:
        """The head of a request, as h11 writes it; None for one that h11 has to write itself.

        Raises h11.LocalProtocolError for what is no head.
        """
        length = b"%d" % len(body)
        headers = tuple(header for header in request.headers.raw if header[0].lower() != b"content-length")
        is_usual = len(headers) + 1 == len(request.headers.raw) and request.headers["content-length"] == length.decode()
        if request.method != "POST" or not is_usual or request.headers.get("connection") != "keep-alive":
            return None
        key = (request.url.raw_path, headers)
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _HEADS_KEPT:
                self._made.clear()
            alone = h11.Request(method="POST", target=request.url.raw_path, headers=list(headers))
            written = h11.Connection(h11.CLIENT).send(alone)
            assert written is not None, "h11 writes a head at once"
            made = self._made[key] = written.removesuffix(b"\r\n")
        return b"%bcontent-length: %b\r\n\r\n" % (made, length)


class _Connection:
    """One connection: a request at a time."""

    def __init__(self, wire: _Wire) -> None:
        self.wire = wire
        self.kept_since = 0.0
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)

    def write(self, request: httpx2.Request, body: bytes, heads: Heads) -> None:
        """Write a request, whole."""
        try:
            head = heads.of(request, body)
            if head is not None:
                self._http.send(_ALIKE)
                self._http.send(h11.EndOfMessage())
                parts: list[bytes | None] = [head, body]
            else:
                parts = [self._http.send(part) for part in (_head(request), h11.Data(data=body), h11.EndOfMessage())]
        except h11.LocalProtocolError as error:
            raise httpx2.LocalProtocolError(str(error), request=request) from error
        self.wire.transport.write(b"".join(part for part in parts if part))

    async def next(self, request: httpx2.Request, within_s: float | None) -> h11.Event | type[h11.PAUSED]:
        """What comes next of the answer."""
        state = self._http.their_state
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(await self.wire.read(within_s))
        except TimeoutError as error:
            raise httpx2.ReadTimeout(f"nothing came for {within_s} s", request=request) from error
        except OSError as error:
            raise httpx2.ReadError(str(error) or type(error).__name__, request=request) from error
        except h11.RemoteProtocolError as error:
            nothing = self.wire.has_ended and state is h11.SEND_RESPONSE
            text = "the connection ended without a whole head of an answer" if nothing else str(error)
            raise httpx2.RemoteProtocolError(text, request=request) from error
        return cast("h11.Event | type[h11.PAUSED]", event)

    def may_be_kept(self) -> bool:
        """Whether another request may follow; then it is ready for it."""
        is_over = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if not is_over or self._http.trailing_data[0] or not self.wire.is_quiet:
            return False
        self._http.start_next_cycle()
        return True

    def close(self) -> None:
        """End it."""
        self.wire.transport.abort()


class _Body(httpx2.AsyncByteStream):
    """An answer's bytes, as they come; at their end its connection is free for another request."""

    def __init__(
        self, owner: Connections, connection: _Connection, request: httpx2.Request, within_s: float | None
    ) -> None:
        self._owner, self._connection, self._request, self._within_s = owner, connection, request, within_s
        self._is_whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._connection.next(self._request, self._within_s), h11.Data):
            yield bytes(event.data)
        self._is_whole = True

    async def aclose(self) -> None:
        """Nothing more is read."""
        self._owner.free(self._connection, is_whole=self._is_whole)


class Connections(httpx2.AsyncBaseTransport):
    """Connections to the API. How many there are is up to whoever sends: one for each call that is under way."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, int], list[_Connection]] = {}
        self._places: dict[_Connection, tuple[str, str, int]] = {}
        self._tls: ssl.SSLContext | None = None
        self._heads = Heads()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; its answer when the headers are there."""
        limits = request.extensions.get("timeout", {})
        body = await request.aread()
        connection = self._take(request) or await self._dial(request, limits.get("connect"))
        try:
            connection.write(request, body, self._heads)
            while not isinstance(answer := await connection.next(request, limits.get("read")), h11.Response):
                if not isinstance(answer, h11.InformationalResponse):
                    raise httpx2.RemoteProtocolError("the connection ended without an answer", request=request)
        except BaseException:
            self.free(connection, is_whole=False)
            raise
        stream = _Body(self, connection, request, limits.get("read"))
        return httpx2.Response(answer.status_code, headers=list(answer.headers), stream=stream)

    def free(self, connection: _Connection, *, is_whole: bool) -> None:
        """A call is over; if its answer came whole, the connection is kept for another."""
        if is_whole and connection in self._places and connection.may_be_kept():
            connection.kept_since = asyncio.get_running_loop().time()
            self._kept.setdefault(self._places[connection], []).append(connection)
        else:
            self._drop(connection)

    async def aclose(self) -> None:
        """End all connections."""
        for connection in list(self._places):
            self._drop(connection)
        self._kept.clear()
        await asyncio.sleep(0)  # the loop closes their sockets in its next round

    def _drop(self, connection: _Connection) -> None:
        self._places.pop(connection, None)
        connection.close()

    def _take(self, request: httpx2.Request) -> _Connection | None:
        """A connection that is kept, and still stands. The one that was used last: the others may expire."""
        kept = self._kept.get(_place(request), [])
        now = asyncio.get_running_loop().time()
        while kept:
            connection = kept.pop()
            if now - connection.kept_since < _KEPT_FOR_S and connection.wire.is_quiet:
                return connection
            self._drop(connection)
        return None

    async def _dial(self, request: httpx2.Request, within_s: float | None) -> _Connection:
        scheme, host, port = place = _place(request)
        tls = self._context() if scheme == "https" else None
        try:
            async with asyncio.timeout(within_s):
                _, wire = await asyncio.get_running_loop().create_connection(
                    _Wire, host, port, ssl=tls, server_hostname=host if tls else None, happy_eyeballs_delay=0.25
                )
        except TimeoutError as error:
            raise httpx2.ConnectTimeout(f"no connection within {within_s} s", request=request) from error
        except OSError as error:
            raise httpx2.ConnectError(str(error) or type(error).__name__, request=request) from error
        connection = _Connection(wire)
        self._places[connection] = place
        return connection

    def _context(self) -> ssl.SSLContext:
        """What certificates are trusted, as httpx2 has it (SSL_CERT_FILE, SSL_CERT_DIR)."""
        if self._tls is None:
            self._tls = httpx2.create_ssl_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def _place(request: httpx2.Request) -> tuple[str, str, int]:
    url = request.url
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)
