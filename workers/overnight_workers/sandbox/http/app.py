"""The sandbox put together: its parts, its routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from overnight_models.money.prices import load
from overnight_workers.sandbox.batches.accepting import Desk
from overnight_workers.sandbox.batches.settling import Settler
from overnight_workers.sandbox.batches.shelf import Shelf
from overnight_workers.sandbox.clock import Clock
from overnight_workers.sandbox.errors import envelope
from overnight_workers.sandbox.faults.faults import Faults
from overnight_workers.sandbox.http.batch_calls import BatchCalls
from overnight_workers.sandbox.http.calls import JSON, Door
from overnight_workers.sandbox.http.control import Control
from overnight_workers.sandbox.http.limits import MessageRates
from overnight_workers.sandbox.http.message_calls import MessageCalls
from overnight_workers.sandbox.meter import Meter
from overnight_workers.sandbox.options import Options
from overnight_workers.sandbox.store import Store

#: Calls that wait for a batch to be settled hold a thread; the others must still find one.
_THREADS = 120


def _running(settler: Settler) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """Batches are settled for as long as the application runs."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        settler.start()
        yield
        settler.stop()

    return lifespan


def build(options: Options) -> Starlette:
    """The whole sandbox as an ASGI application."""
    store = Store(options.data_dir)
    clock = Clock(store, options.speed, options.clock_offset_s)
    faults = Faults(store, options.seed, options.faults)
    meter = Meter(store)
    prices = load(options.prices)
    settler = Settler(store, clock, prices, meter, options)
    shelf = Shelf(store, clock, settler)
    desk = Desk(store, clock, faults, options)
    batches = BatchCalls(desk, shelf, store, prices, clock, options)
    rates = MessageRates(clock, options)
    messages = MessageCalls(desk, store, prices, clock, faults, rates, options)
    control = Control(clock, faults, meter, rates, settler, shelf, desk)
    endpoint = Door(clock, faults, meter, verbose=options.verbose).endpoint
    counting = endpoint("count_tokens", messages.count_tokens, "count_tokens")
    batch = "/v1/messages/batches/{batch_id}"

    routes = [
        Route("/v1/messages/batches", endpoint("batches.create", batches.create, "create"), methods=["POST"]),
        Route("/v1/messages/batches", endpoint("batches.list", batches.list, "list")),
        Route(batch, endpoint("batches.retrieve", batches.retrieve, "retrieve")),
        Route(batch, endpoint("batches.delete", batches.delete, "delete"), methods=["DELETE"]),
        Route(f"{batch}/cancel", endpoint("batches.cancel", batches.cancel, "cancel"), methods=["POST"]),
        Route(f"{batch}/results", endpoint("batches.results", batches.results, "results")),
        Route("/v1/messages", endpoint("messages", messages.create, "messages"), methods=["POST"]),
        Route("/v1/messages/count_tokens", counting, methods=["POST"]),
        Route("/v1/models", endpoint("models.list", messages.models, "models")),
        Route("/v1/models/{model_id}", endpoint("models.retrieve", messages.model, "models")),
        Route("/sandbox", control.about),
        Route("/sandbox/faults", control.faults, methods=["GET", "PUT", "POST", "DELETE"]),
        Route("/sandbox/clock", control.clock, methods=["GET", "POST"]),
        Route("/sandbox/limits", control.limits, methods=["GET", "DELETE"]),
        Route("/sandbox/meter", control.meter),
        Route("/sandbox/meter/reset", control.reset_meter, methods=["POST"]),
        Route("/sandbox/batches", control.batches),
        Route("/sandbox/strangers", control.strangers, methods=["POST"]),
    ]
    return Starlette(
        routes=routes, lifespan=_running(settler), exception_handlers={404: _no_such_path, 405: _no_such_path}
    )


async def _no_such_path(_request: Request, _error: Exception) -> Response:
    return JSON(envelope("not_found_error", "Not found", None), 404)
