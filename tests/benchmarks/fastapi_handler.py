"""What an `enqueue` adds to a request of FastAPI's, behind a real uvicorn: AsyncOvernight, in the handler's own loop.

    pip install fastapi; python -m tests.benchmarks.fastapi_handler [--requests 4000]

Two routes, alike but for the `enqueue`: clients ask them in turns, so that whatever else the machine does is in both.
The server is a process of its own, and so is Redis. The processor's time is that of the server's process: on a machine
that does other work the median tells of that work, too.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from uuid import uuid4

import httpx2
import psutil
import typer

from overnight_producers import AsyncOvernight
from tests.benchmarks.async_enqueue import PARAMS
from tests.benchmarks.bars import Bar, report
from tests.ports import free_port
from tests.servers import running_redis

if TYPE_CHECKING:
    # of the group `frameworks`, which an environment for the checks needn't have
    from fastapi import FastAPI  # type: ignore[import-not-found,unused-ignore]

_BAR_MS: Final = 2.0
_BLOCK: Final = 50
"""Requests of a client to one route, before the other's turn."""
_ROUTES: Final = ("/bare", "/enqueue")


def app() -> FastAPI:
    """The product's service: `uvicorn --factory tests.benchmarks.fastapi_handler:app`."""
    from fastapi import FastAPI

    overnight = AsyncOvernight()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with overnight:
            yield

    service = FastAPI(lifespan=lifespan)

    @service.post("/bare/{sku}", status_code=202)  # type: ignore[untyped-decorator,unused-ignore]
    async def bare(sku: str) -> dict[str, str]:
        return {"item": sku}

    @service.post("/enqueue/{sku}", status_code=202)  # type: ignore[untyped-decorator,unused-ignore]
    async def enqueue(sku: str) -> dict[str, str]:
        return {"item": (await overnight.enqueue(PARAMS, key=f"copy:{sku}")).item_id}

    return service


@contextmanager
def _serving(redis_url: str) -> Iterator[tuple[str, psutil.Process]]:
    """Where it answers, and its process."""
    port = free_port()
    words = ["--factory", "tests.benchmarks.fastapi_handler:app", "--port", str(port), "--log-level", "warning"]
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *words], env=os.environ | {"OVERNIGHT_REDIS_URL": redis_url}
    ) as server:
        try:
            yield f"http://127.0.0.1:{port}", psutil.Process(server.pid)
        finally:
            server.terminate()


class _Served:
    """What a route took, by each request: milliseconds, and of the server's processor."""

    def __init__(self) -> None:
        self.took_ms: list[float] = []
        self.processor_s = 0.0

    @property
    def figures(self) -> dict[str, float]:
        cuts = statistics.quantiles(self.took_ms, n=100)
        each_ms = 1000 * self.processor_s / len(self.took_ms)
        return {"p50_ms": cuts[49], "p99_ms": cuts[98], "processor_ms": each_ms}


async def _asked(url: str, server: psutil.Process, requests: int, clients: int) -> dict[str, _Served]:
    """What each route took."""
    served = {route: _Served() for route in _ROUTES}

    async def client(route: str, http: httpx2.AsyncClient) -> None:
        for _ in range(_BLOCK):
            began = time.perf_counter()
            answer = await http.post(f"{route}/{uuid4()}")
            served[route].took_ms.append(1000 * (time.perf_counter() - began))
            assert answer.status_code == 202, answer.text

    async with httpx2.AsyncClient(base_url=url, verify=False) as http:
        for _ in range(600):
            try:
                await http.post("/enqueue/first")
                break
            except httpx2.ConnectError:
                await asyncio.sleep(0.1)  # another process starts, and says nothing
        for _ in range(requests // (clients * _BLOCK)):
            for route in _ROUTES:
                before = sum(server.cpu_times()[:2])
                await asyncio.gather(*(client(route, http) for _ in range(clients)))
                served[route].processor_s += sum(server.cpu_times()[:2]) - before
    return served


def main(
    requests: Annotated[int, typer.Option(help="To each route.")] = 4_000,
    clients: Annotated[int, typer.Option(help="That ask at once.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Measure both routes, and say what the `enqueue` adds."""
    with (
        tempfile.TemporaryDirectory() as place,
        running_redis(Path(place)) as redis_url,
        _serving(redis_url) as (url, server),
    ):
        served = asyncio.run(_asked(url, server, requests, clients))
    figures = {route: of.figures for route, of in served.items()}
    for route, figure in figures.items():
        print(
            f"{route:10} median {figure['p50_ms']:6.2f} ms   99th {figure['p99_ms']:6.2f} ms"
            f"   processor {figure['processor_ms']:5.2f} ms each, of {len(served[route].took_ms):,}"
        )
    added = figures["/enqueue"]["p50_ms"] - figures["/bare"]["p50_ms"]
    report([Bar("an enqueue adds to a request, at the median", round(added, 3), _BAR_MS, "ms")], figures, json_file)


if __name__ == "__main__":
    typer.run(main)
