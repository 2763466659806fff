"""Structured logs: one line an event, with the ids of what it is about; JSON when nobody watches."""

from __future__ import annotations

import logging
import os
import sys
from typing import Final

import structlog

from overnight_workers import redaction
from overnight_workers.configuration.sources import LOG_LEVEL, LOG_LEVELS

_NOISY: Final = (
    *("httpx2", "httpx", "httpcore2", "httpcore", "anthropic", "redis"),
    *("celery.app.trace", "celery.worker.strategy", "celery.beat", "celery.pool"),
)
_MOST_CHARACTERS: Final = 500
_QUOTING: Final = ("DETAIL:", "CONTEXT:", "LINE ", "[parameters:")
"""Lines of Postgres and SQLAlchemy with what they were given."""


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
        _shorten,
        _redact,
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
    # one line a request, with the URL, is noise here; and some show bodies and keys when everything is logged
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("celery.beat").addFilter(_without_stack)


def to_stderr() -> None:
    """How a command logs, which configures nothing: by itself structlog writes to standard output, between results."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            structlog.processors.format_exc_info,
            _shorten,
            _redact,
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def _without_stack(record: logging.LogRecord) -> bool:
    """A tick that the beat can't send, since Redis is away, is a line: Celery adds its own stack to each."""
    if str(record.msg).startswith("Message Error") and isinstance(record.args, tuple):
        record.msg, record.args, record.exc_info = "a tick can't be sent: %s", record.args[:1], None
    return True


def brief(text: object) -> str:
    """An exception or a traceback as it may be shown: each of its messages is one line, cut where it is long.

    What others raise may quote what they were given, and what is long is a body. Fields that `[privacy] redact` names
    are hidden.
    """
    shown = [line if line.startswith(" ") else _cut(line) for line in str(text).splitlines()]
    return redaction.text("\n".join(line for line in shown if not line.startswith(_QUOTING)))


def _cut(line: str) -> str:
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}…"


def _shorten(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Exceptions in a log are as short as they are elsewhere."""
    if isinstance(event.get("exception"), str):
        event["exception"] = brief(event["exception"])
    return event


def _redact(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Fields that the settings name are in no line."""
    return redaction.fields(event)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; its calls take an event and key-value pairs."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


to_stderr()
