"""What is started: `celery -A overnight_workers.app worker|beat|flower`. The stages know only `celery_app`."""

from __future__ import annotations

import gc
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import redis
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Task
from celery.signals import (
    beat_init,
    celeryd_init,
    heartbeat_sent,
    setup_logging,
    task_failure,
    task_postrun,
    task_success,
    worker_init,
    worker_process_init,
    worker_shutdown,
    worker_shutting_down,
)

from overnight_models.errors import BadSettings

try:
    # imports leave no garbage, and looking for it among all that they make takes a sixth of a worker's start
    gc.disable()
    from overnight_workers.celery_worker.celery_app import app
except BadSettings as wrong:
    # Celery would show it beneath a traceback
    raise SystemExit(f"overnight: {wrong}") from wrong

from overnight_models import routes
from overnight_workers import held, process
from overnight_workers.celery_worker import start_checks, stopping, waiting
from overnight_workers.flower_tab import command
from overnight_workers.operators import workers
from overnight_workers.operators.watch import watch
from overnight_workers.stages import pulse
from overnight_workers.telemetry import logs

__all__ = ["app"]

gc.freeze()  # nor need the first round look at them
gc.enable()
command.install(app)  # our pages in Flower; does nothing outside Celery's command line


@setup_logging.connect
def _log(**_: object) -> None:
    logs.configure()


_shown: list[workers.Showing] = []
"""This process, when it is a worker that takes messages."""


@celeryd_init.connect
def _check_queues(options: Mapping[str, Sequence[str] | str | None], **_: object) -> None:
    start_checks.check_queues(options.get("queues"), options.get("exclude_queues"))


@worker_init.connect
def _wait(sender: Any, **_: object) -> None:
    start_checks.check(sender.pool_cls, sender.app.amqp.queues.consume_from)
    import_module("overnight_workers.celery_worker.task_request").hide_bodies()
    waiting.wait_for_schema()
    _shown[:] = [workers.Showing(sender)]


@beat_init.connect
def _before_the_beat(**_: object) -> None:
    waiting.refuse_database()


@heartbeat_sent.connect
def _show_life(**_: object) -> None:
    """In the loop that takes messages: where it stands still, or has lost its broker, nothing is shown."""
    for worker in _shown:
        with suppress(redis.RedisError):
            worker.beat(process.redis_client())


@worker_shutdown.connect
def _stop(**_: object) -> None:
    for worker in _shown:
        with suppress(redis.RedisError):
            workers.gone(process.redis_client(), str(worker.worker.hostname))
    _shown.clear()


@task_postrun.connect
def _watch(task: object, **_: object) -> None:
    if getattr(task, "name", "") == routes.RESCUE:
        watch()


@worker_shutting_down.connect
def _tell_children(**_: object) -> None:
    stopping.set_stopping()


@task_failure.connect
def _failed(sender: Task[..., object], exception: BaseException, **_: object) -> None:
    # a child that is gone is told of by the worker's main process, which must not connect to anything
    if not isinstance(exception, (TimeLimitExceeded, WorkerLostError)):
        pulse.failed(str(sender.name), exception, about=_here())


@task_success.connect
def _succeeded(sender: Task[..., object], **_: object) -> None:
    # of questions each asks something else: one that is answered says nothing of another
    if sender.name != routes.ANSWER:
        pulse.succeeded(str(sender.name), _here())


def _here() -> str:
    """As the pulse names this host: a task that goes well on another says nothing of one that fails here."""
    return f"host {socket.gethostname()}"


@worker_process_init.connect
def _fresh(**_: object) -> None:
    held.forget()
    # what is there by now stays, and rows by the thousand are no cycles: looking through all of it again and again took
    # a third of collect's time
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
