"""The Celery app that the stages' tasks belong to, and everything it is told; `app.py` is what is started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from celery import Celery, Task
from kombu import Exchange, Queue

from overnight_models import routes
from overnight_workers.celery_worker import transport
from overnight_workers.settings import settings
from overnight_workers.telemetry import tracing

transport.install()


class StageTask(Task):  # type: ignore[type-arg]
    """What the stages' tasks have in common."""

    abstract = True
    Request = "overnight_workers.celery_worker.task_request:ShownRequest"

    if not TYPE_CHECKING:  # for types it is Celery's own

        def __call__(self, *args: object, **kwargs: object) -> object:
            """Run it, within a span where the process has a tracer."""
            with tracing.stage(self.name):
                # a worker has put the message into `request` already; Celery's own call would put an empty one over it
                run = super().__call__ if self.request.called_directly else self.run
                return run(*args, **kwargs)


app = Celery("overnight", task_cls=StageTask)

_STAGES: Final = (
    *(f"overnight_workers.stages.{stage}" for stage in ("answer", "rescue")),
    *(
        f"overnight_workers.stages.{stage}.{stage}"
        for stage in ("accept", "measure", "pack", "submit", "poll", "collect", "deliver", "webhooks", "direct")
    ),
    "overnight_workers.catalogs.task",
)
"""Modules with a task."""

_TRANSPORT: Final = {
    # longer than any task's time limit plus its wait in the prefetch
    "visibility_timeout": 900,
    # and then a killed worker's messages come back in about 10 s, not 100 s
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 2,
    # who gives back holds a lock; when Redis fails over meanwhile it stays, and nobody gives back for 5 minutes
    "unacked_mutex_expire": 30,
    # services that share a Redis would otherwise share the shortest visibility timeout
    "unacked_key": "overnight:unacked",
    "unacked_index_key": "overnight:unacked_index",
    "unacked_mutex_key": "overnight:unacked_mutex",
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 20,
    "client_name": "overnight",
}


def configure() -> None:
    """Everything Celery is told, and beside it what would go wrong otherwise."""
    current = settings()
    current.require_urls()
    timing = current.timing
    app.conf.update(
        **current.redis_place.celery(_TRANSPORT),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        result_backend=None,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        event_serializer="json",
        task_acks_late=True,
        # tries are counted in Postgres
        task_reject_on_worker_lost=True,
        task_time_limit=600,
        task_soft_time_limit=540,
        task_default_queue=routes.RESCUE,
        # a list, which Flower's Broker tab reads; in a list a queue without a routing key has the default queue's
        task_queues=[Queue(queue, Exchange(""), routing_key=queue) for queue in routes.QUEUES],
        task_routes={queue: {"queue": queue} for queue in routes.QUEUES},
        # a mistyped queue is an error and not a list that nobody reads
        task_create_missing_queues=False,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_max_memory_per_child=400_000,
        worker_soft_shutdown_timeout=5.0,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        beat_schedule={
            "rescue": _ticks(routes.RESCUE, timing.sweep_every),
            "poll": _ticks(routes.POLL, timing.poll_every),
        },
        beat_max_loop_interval=min(5.0, timing.sweep_every),
        enable_utc=True,
        timezone="UTC",
        imports=list(_STAGES),
    )


def _ticks(task: str, every_s: float) -> dict[str, object]:
    """A task of the beat. It expires, so that an outage leaves no great pile of old ticks."""
    return {"task": task, "schedule": every_s, "options": {"queue": task, "expires": routes.STALE_S}}


configure()
