"""What a worker looks at before it starts: its queues, and whether its pool and temporary directory can do the work."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Final

from celery import concurrency

from overnight_models import routes
from overnight_models.errors import BadSettings
from overnight_workers.celery_worker.temporary_directory import temporary_directory_fault
from overnight_workers.keys.encryption_keys import lanes_without_key
from overnight_workers.settings import settings
from overnight_workers.telemetry import logs

_POOLS: Final = ("celery.concurrency.prefork", "celery.concurrency.solo")
"""A submitter is ended by a timer of its process (R3), and a process that hangs by Celery: threads can't be ended."""

_SPOOLED: Final = (routes.SUBMIT, routes.COLLECT)
"""Stages that keep what they send or read in the temporary directory."""

log = logs.get(__name__)


def require_pool(pool: str | type[object]) -> None:
    """Raise BadSettings for a pool in which tasks can't be ended. pool: a class of Celery's, or its name."""
    module = str(concurrency.get_implementation(pool).__module__)
    if module not in _POOLS:
        name = module.rpartition(".")[2].replace("thread", "threads")
        raise BadSettings(
            [f"-P {name}: only a process can be ended when its time is over. Start the worker without -P, or -P solo"]
        )


def check_queues(*given: Sequence[str] | str | None) -> None:
    """End the process, with a reason in the log, for queues that there aren't; Celery does it beneath a traceback.

    given: what -Q and -X said, as names or as one text with commas.
    """
    names = [name for queues in given for name in (queues.split(",") if isinstance(queues, str) else queues or ())]
    unknown = [name.strip() for name in names if name.strip() not in routes.QUEUES]
    if not unknown:
        return
    logs.configure()  # Celery does it later
    why = f"there is no queue {', '.join(map(repr, unknown))} (-Q or -X); there are: {', '.join(routes.QUEUES)}"
    log.error("the worker can't start", why=why)
    raise SystemExit(os.EX_USAGE)


def require_configuration() -> None:
    """Raise BadSettings with everything for which workers would end at their start: said before any is started."""
    settings()
    if keyless := lanes_without_key():
        raise BadSettings(keyless)


def check(pool: str | type[object], queues: Collection[str]) -> None:
    """Warn of a small temporary directory.

    Ends the process, with a reason in the log, for a pool that can't work, and where a lane encrypts and has no key:
    nothing of it could be written, and its messages would stand before those of others.
    """
    logs.configure()  # Celery does it later
    try:
        require_pool(pool)
    except BadSettings as error:
        log.error("the worker can't start", why=error.faults[0])
        raise SystemExit(os.EX_USAGE) from error  # Celery lets no other exception end a worker here
    if keyless := lanes_without_key():
        for why in keyless:
            log.error("the worker can't start", why=why)
        raise SystemExit(os.EX_CONFIG)
    fault = temporary_directory_fault() if set(queues) & set(_SPOOLED) else None
    if fault is not None:
        log.warning("batches may not be sent from here", why=fault)
