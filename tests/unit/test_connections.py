"""Connections that are kept alive: what is reused, what isn't, and how each end of a connection is told."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from overnight_workers.anthropic_api.connections import Connections
from tests.faults.redis_servers import certificates

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A server that says to each connection what a test wants, byte by byte."""

    def __init__(self, serve: Serve) -> None:
        self.serve, self.connections, self.port = serve, 0, 0
        self.open: set[asyncio.Task[None]] = set()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        own = asyncio.current_task()
        assert own is not None
        self.open.add(own)
        try:
            await self.serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has ended it
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


@asynccontextmanager
async def serving(
    serve: Serve, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Server, httpx2.AsyncClient]]:
    """A server, and a client of our connections beside it."""
    own = Server(serve)
    listening = await asyncio.start_server(own.take, "127.0.0.1", 0, ssl=tls)
    own.port = listening.sockets[0].getsockname()[1]
    address = f"{'https' if tls else 'http'}://127.0.0.1:{own.port}"
    try:
        async with httpx2.AsyncClient(transport=Connections(), base_url=address, timeout=60) as client:
            yield own, client
    finally:
        listening.close()
        await asyncio.gather(*own.open, return_exceptions=True)


async def request(reader: asyncio.StreamReader) -> bytes:
    """One request, whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = (line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    return head + await reader.readexactly(int(length))


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One answer after the other."""
    while True:
        await request(reader)
        writer.write(OK)


def saying(*parts: bytes, then_waits: bool = False) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
        if then_waits:
            await reader.read()

    return serve


def asked(serve: Serve, *, timeout: httpx2.Timeout | float = 60) -> httpx2.Response:
    async def run() -> httpx2.Response:
        async with serving(serve) as (_, client):
            return await client.post("/", content=b"{}", timeout=timeout)

    return asyncio.run(run())


def test_one_connection_carries_one_request_after_the_other_and_as_many_as_there_are_calls_at_once() -> None:
    async def run() -> None:
        async with serving(answers) as (server, client):
            for _ in range(5):
                assert (await client.post("/", content=b"{}")).text == "hi"
            assert server.connections == 1
            for _ in range(3):
                done = await asyncio.gather(*(client.post("/", content=b"{}") for _ in range(7)))
                assert {answer.text for answer in done} == {"hi"}
            assert server.connections == 7

    asyncio.run(run())


def test_bytes_behind_an_answer_are_no_answer_to_the_next_request() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK + OK.replace(b"hi", b"no"))
        await reader.read()

    async def run() -> None:
        async with serving(serve) as (server, client):
            for connections in (1, 2):
                assert (await client.post("/", content=b"{}")).text == "hi"
                assert server.connections == connections

    asyncio.run(run())


@pytest.mark.parametrize("late", [b"", b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"])
def test_a_connection_that_ended_or_spoke_unasked_while_it_was_kept_carries_no_request(late: bytes) -> None:
    asked_again, written = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        await writer.drain()
        await asked_again.wait()
        writer.write(late)
        written.set()

    async def run() -> None:
        async with serving(serve) as (server, client):
            assert (await client.post("/", content=b"{}")).text == "hi"
            asked_again.set()
            await written.wait()
            await asyncio.sleep(0.05)  # the loop looks at what has arrived before it goes on here
            assert (await client.post("/", content=b"{}")).text == "hi"
            assert server.connections == 2

    asyncio.run(run())


def test_an_answer_in_chunks_after_a_word_before_it_is_read_whole() -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = asked(saying(b"HTTP/1.1 100 Continue\r\n\r\n", chunked, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n"))
    assert answer.text == "abcde"


def test_an_answer_whose_head_is_long_and_comes_in_parts_is_read() -> None:
    """A gateway's own headers: what comes under them is paid."""
    head, (first, *rest) = OK.partition(b"\r\n")[0], [b"x-trace-%d: %b\r\n" % (n, b"t" * 1_000) for n in range(60)]
    answer = asked(saying(head + b"\r\n" + first, *rest, OK.partition(b"\r\n")[2]))
    assert (answer.text, len(answer.headers)) == ("hi", 61)


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    assert asked(saying(b"HTTP/1.1 200 OK\r\n\r\n", b"all of it")).text == "all of it"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ((), httpx2.RemoteProtocolError),
        ((b"HTTP/1.1 20",), httpx2.RemoteProtocolError),
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",), httpx2.RemoteProtocolError),
        ((b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab",), httpx2.RemoteProtocolError),
        ((b"nobody's protocol\r\n\r\n",), httpx2.RemoteProtocolError),
    ],
)
def test_what_breaks_off_or_is_no_http_is_said_as_such(said: tuple[bytes, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        asked(saying(*said))


def test_a_connection_that_is_reset_is_a_read_error() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.transport.abort()

    with pytest.raises((httpx2.ReadError, httpx2.RemoteProtocolError)):
        asked(serve)


def test_silence_is_a_read_timeout_before_and_within_an_answer() -> None:
    for said in ((), (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",)):
        with pytest.raises(httpx2.ReadTimeout):
            asked(saying(*said, then_waits=True), timeout=httpx2.Timeout(60, read=0.1))


def test_where_nobody_listens_it_is_a_connect_error() -> None:
    async def run() -> None:
        async with serving(answers) as (server, client):
            port = server.port
            del client
        async with httpx2.AsyncClient(transport=Connections()) as alone:
            await alone.post(f"http://127.0.0.1:{port}/", content=b"{}")

    with pytest.raises(httpx2.ConnectError):
        asyncio.run(run())


def test_a_call_that_is_ended_from_outside_ends_its_connection() -> None:
    async def run() -> None:
        async with serving(saying(then_waits=True)) as (server, client):
            call = asyncio.create_task(client.post("/", content=b"{}"))
            while server.connections < 1:
                await asyncio.sleep(0.01)  # until it is there
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert server.connections == 1
            with pytest.raises(httpx2.ReadTimeout):
                await client.post("/", content=b"{}", timeout=httpx2.Timeout(60, read=0.1))
            assert server.connections == 2

    asyncio.run(run())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_over_tls_the_certificate_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = certificates(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(held / "server.pem", held / "server.key")

    async def run() -> str:
        async with serving(answers, tls=tls) as (_, client):
            return (await client.post("/", content=b"{}")).text

    with pytest.raises(httpx2.ConnectError, match="certificate verify failed"):
        asyncio.run(run())
    monkeypatch.setenv("SSL_CERT_FILE", str(held / "ca.pem"))
    assert asyncio.run(run()) == "hi"


def test_a_head_that_was_made_before_has_its_own_length_and_its_own_headers() -> None:
    came: list[bytes] = []

    async def notes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            came.append(await request(reader))
            writer.write(OK)

    async def run() -> None:
        async with serving(notes) as (_, client):
            for body, key in ((b"{}", "one"), (b'{"a": 1}', "one"), (b'{"a": 1}', "two")):
                assert (await client.post("/messages?beta=true", content=body, headers={"x-key": key})).content == b"hi"

    asyncio.run(run())
    heads, bodies = zip(*(request.split(b"\r\n\r\n") for request in came), strict=True)
    assert bodies == (b"{}", b'{"a": 1}', b'{"a": 1}')
    for head, body, key in zip(heads, bodies, (b"one", b"one", b"two"), strict=True):
        first, *headers = head.split(b"\r\n")
        assert first == b"POST /messages?beta=true HTTP/1.1"
        assert headers.count(b"x-key: " + key) == 1
        assert [line for line in headers if line.lower().startswith(b"content-length")] == [
            b"content-length: %d" % len(body)
        ]


@pytest.mark.parametrize("value", ["two\r\nx-other: lines", "a nul\x00"])
def test_a_header_that_is_none_is_refused_before_anything_is_written(value: str) -> None:
    async def run() -> None:
        async with serving(answers) as (_, client):
            for _ in range(2):
                with pytest.raises(httpx2.LocalProtocolError):
                    await client.post("/", content=b"{}", headers={"x-key": value})

    asyncio.run(run())


def test_a_connection_that_is_to_be_closed_is_not_kept() -> None:
    async def run() -> int:
        async with serving(answers) as (server, client):
            for _ in range(2):
                await client.post("/", content=b"{}", headers={"connection": "close"})
            return server.connections

    assert asyncio.run(run()) == 2
