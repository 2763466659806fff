"""Callbacks: where outcomes go, and how a product's Celery task takes one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, Final, ParamSpec, TypeVar, cast, overload

from celery.app.task import Task
from celery.canvas import Signature
from celery.local import Proxy

from overnight_models.errors import BadSettings
from overnight_models.wire.message import CallbackLine
from overnight_models.wire.outcome import Outcome
from overnight_models.wire.redis_place import is_redis, read_redis_url
from overnight_producers import acknowledging
from overnight_producers.own_loop import is_in_a_loop, run_to_its_end

P = ParamSpec("P")
R = TypeVar("R")

_ASKS: Final = "overnight_asks_for_ack"
"""The mark that `@callback(ack=True)` leaves on its function."""


def task(
    name: str,
    *,
    queue: str,
    args: tuple[object, ...] = (),
    kwargs: Mapping[str, object] | None = None,
    broker: str | None = None,
    ack: bool = False,
) -> CallbackLine:
    """A callback by name, for a product whose code isn't here.

    name: the Celery task's name; it gets the outcome as its first argument, then `args` and `kwargs`.
    queue: the queue its workers listen on.
    broker: a `[brokers.NAME]` of Overnight's configuration; default: Overnight's own Redis. Never a URL.
    ack: its message is sent again until it is acknowledged, which `@callback` over there does when it is done.

    Raises TypeError when `kwargs` is no mapping.
    """
    line: CallbackLine = {"task": name, "queue": queue}
    if args:
        line["args"] = list(args)
    if kwargs:
        line["kwargs"] = _as_object("kwargs", kwargs)
    if broker:
        line["broker"] = broker
    if ack:
        line["ack"] = True
    return line


def webhook(name: str, *, context: Mapping[str, object] | None = None) -> CallbackLine:
    """A callback over HTTPS: the outcome comes in a signed request (Standard Webhooks), with others in one body.

    name: a `[webhooks.NAME]` of Overnight's configuration, which has the URL and the secrets. Never a URL.
    context: comes with the outcome, as `context`: JSON that says what it is for, such as `{"sku": "A1"}`.

    Raises TypeError when `context` is no mapping. Whether the webhook is known, and isn't a URL, `enqueue` says.
    """
    line: CallbackLine = {"webhook": name}
    if context:
        line["context"] = _as_object("context", context)
    return line


def _as_object(name: str, given: object) -> dict[str, object]:
    if not isinstance(given, Mapping):
        raise TypeError(f"`{name}` must be a dict, such as {{'sku': 'A1'}}, not {type(given).__name__}")
    return dict(given)


@overload
def callback(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def callback(*, ack: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def callback(function: Callable[P, R] | None = None, /, *, ack: bool = False) -> object:
    """Let a Celery task take its outcome as an `Outcome`: put it under `@app.task(...)`.

    The message may come more than once, always with the same `outcome.delivery_id`.

    ack: signatures of this task ask for acknowledgement: their messages come again until this process has acknowledged
    one, in Overnight's Redis (OVERNIGHT_REDIS_URL), when the function returned. An exception acknowledges nothing, and
    neither does a `retry()`. It protects from a broker that loses what it took, and from a worker that drops a task it
    doesn't know.

    An `async def` is run to its end, in an event loop that the worker's process (or thread) keeps for all its tasks, so
    that an `AsyncOvernight` or a pool of connections can be shared by them. Called in a running loop, as by a pool that
    has its own, it is to be awaited. Either way it is acknowledged when it has returned.

    Raises TypeError when what it decorates is a task already.
    """

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        if issubclass(type(function), (Task, Proxy)):
            raise TypeError("the other way round: @callback stands under @app.task(...), next to the function")

        is_async: bool = inspect.iscoroutinefunction(function)
        take = _awaiting(function) if is_async else _blocking(function)
        setattr(take, _ASKS, ack)
        return take

    return decorated if function is None else decorated(function)


def _blocking(function: Callable[P, R]) -> Callable[P, R]:
    """A function that takes its outcome as one, and acknowledges it when it has returned."""

    @functools.wraps(function)
    def take(*args: P.args, **kwargs: P.kwargs) -> R:
        asked = acknowledging.asked()
        result = function(*_with_outcome(args), **kwargs)
        if asked is not None:
            acknowledging.acknowledge(asked)
        return result

    return take


def _awaiting(function: Callable[P, R]) -> Callable[P, R]:
    """The same for an `async def`: run to its end by a loop of the worker's own; in a running loop, to be awaited."""

    async def arrive(asked: str | None, awaited: Awaitable[object]) -> object:
        result = await awaited
        if asked is not None:
            await acknowledging.acknowledge_async(asked)
        return result

    @functools.wraps(function)
    def take(*args: P.args, **kwargs: P.kwargs) -> R:
        # asked before anything is awaited: another task may be the current one by then
        awaited = cast("Awaitable[object]", function(*_with_outcome(args), **kwargs))
        arriving = arrive(acknowledging.asked(), awaited)
        return cast("R", arriving if is_in_a_loop() else run_to_its_end(arriving))

    return take


def _with_outcome(args: tuple[object, ...]) -> Any:
    """A task's arguments with the outcome read."""
    for at, argument in enumerate(args):  # a bound task has itself before the outcome
        if isinstance(argument, Mapping) and "delivery_id" in argument:
            return (*args[:at], Outcome.read(argument), *args[at + 1 :])
    return args


def callback_line(given: Signature[Any] | CallbackLine, *, redis_url: str | None) -> CallbackLine:
    """A callback as it travels. A signature carries neither its queue nor whether it acknowledges: looked up here.

    redis_url: Overnight's Redis; None: it isn't known, and any broker may be on it.

    Raises ValueError, saying what to do, when the signature can't be delivered.
    """
    if not isinstance(given, Signature):
        if callable(given):
            name = getattr(given, "__name__", "save")
            raise ValueError(f"`callback` is {name} itself: pass the signature of a Celery task, `{name}.s(sku='A1')`")
        return given
    if given.get("subtask_type") or given.get("immutable"):
        raise ValueError("a callback is one plain signature, such as `save.s(sku='A1')`: no canvas, no `.si()`")
    name = str(given.task)
    if lost := sorted(set(given.options) - {"queue"}):
        raise ValueError(
            f"{', '.join(lost)} of {name!r} can't be kept: an outcome is a plain message in a queue, so only `queue` is"
            " taken; let the task do the rest when the outcome comes"
        )
    app = given.app
    their_broker = str(app.conf.broker_url or app.conf.broker_write_url or "")
    if redis_url is not None and _place(their_broker) != _place(redis_url):
        raise ValueError(
            f"{name!r} belongs to an app on another broker than Overnight's Redis: name the broker in Overnight's"
            f" configuration and use task({name!r}, queue=..., broker='its name')"
        )
    if prefix := (app.conf.broker_transport_options or {}).get("global_keyprefix"):
        raise ValueError(
            f"the app of {name!r} puts {prefix!r} before its queues (global_keyprefix), so its workers would never see"
            f' the outcome: name its Redis in Overnight\'s configuration, with key_prefix = "{prefix}", and use'
            f" task({name!r}, queue=..., broker='its name')"
        )
    # None when the task's code isn't here: then the routes know it by its name
    kind = app.tasks.get(name)
    options = {**dict(getattr(kind, "options", None) or {}), **dict(given.options)}
    declared = getattr(kind, "queue", None)
    if declared and "queue" not in options:
        options["queue"] = declared
    queue = options.get("queue") or app.amqp.router.route(options, name, given.args, given.kwargs).get("queue")
    name_of_queue = getattr(queue, "name", queue) or app.conf.task_default_queue
    ack = bool(getattr(getattr(kind, "run", None), _ASKS, False))
    return task(name, queue=str(name_of_queue), args=tuple(given.args or ()), kwargs=given.kwargs, ack=ack)


@cache
def _place(url: str) -> tuple[object, ...]:
    """Which broker a URL means, whatever user it names and whether it is encrypted."""
    plain, _, _ = url.partition("?")  # an app of theirs may have options that mean nothing here
    if not is_redis(url):
        return (plain,)
    try:
        return read_redis_url(url if url.startswith(("unix", "redis+")) else plain, master_name="any").identity
    except BadSettings:
        return (plain,)
