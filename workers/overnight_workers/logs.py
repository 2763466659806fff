"""Structured logs: one line an event, with the ids of what it is about; JSON when nobody watches."""

from __future__ import annotations

import logging
import os
import sys

import structlog

from overnight_workers.configuration.sources import LOG_LEVEL, LOG_LEVELS


def configure(level: str | None = None) -> None:
    """Send structlog and the standard library's loggers through one renderer on stderr."""
    asked = (level or os.environ.get(LOG_LEVEL) or "").upper()
    # another word is a fault of the settings, which say so with the others
    chosen = asked if asked in LOG_LEVELS else "INFO"
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    watched = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if watched else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(chosen)
    # one line a request, with the URL, is noise here
    for noisy in ("httpx2", "httpx", "anthropic", "celery.app.trace", "celery.worker.strategy", "celery.beat"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; its calls take an event and key-value pairs."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
