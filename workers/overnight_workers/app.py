"""What is started: `celery -A overnight_workers.app worker|beat|flower`. The stages know only `celery_app`."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from importlib import import_module

from celery.signals import celeryd_init, setup_logging, worker_init, worker_process_init

from overnight_models import routes
from overnight_workers import held, logs, waiting
from overnight_workers.celery_app import app
from overnight_workers.flower_tab import command

__all__ = ["app"]

command.install(app)  # Flower's Batches tab; does nothing outside Celery's command line


@setup_logging.connect
def _log(**_: object) -> None:
    logs.configure()


@worker_init.connect
def _wait(**_: object) -> None:
    waiting.wait_for_schema()


@celeryd_init.connect
def _before_the_fork(options: Mapping[str, object], **_: object) -> None:
    """The API's SDK takes seconds to import: once, in the parent of those that call it, and not in every new child."""
    queues = str(options.get("queues") or routes.QUEUES)
    if any(queue in queues for queue in (routes.SUBMIT, routes.POLL, routes.COLLECT)):
        import_module("anthropic.resources.messages.batches")


@worker_process_init.connect
def _fresh(**_: object) -> None:
    held.forget()
    # what is there by now stays, and rows by the thousand are no cycles: looking through all of it again and again took
    # a third of collect's time
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
