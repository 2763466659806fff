"""A task's message as a worker shows it, to events, logs and whoever inspects it: never what is in it."""

from __future__ import annotations

import re
from typing import Any, Final

from celery.worker.consumer import consumer
from celery.worker.request import Request

from overnight_workers.telemetry import logs

_HIDDEN: Final = "(not shown)"
_HARMLESS: Final = re.compile(r"\([\w.,:\- ]{0,200}\)")
"""What our own clients say of a message: its lane, how many items, its id. A value of somebody else's has quotes."""
_OF_ITS_FAILURE: Final = ("exception", "traceback")


class ShownRequest(Request):
    """Celery's request, without the values of its arguments, and with short exceptions."""

    @property
    def argsrepr(self) -> str:
        """Its arguments, as events show them."""
        shown = str(super().argsrepr or "")
        return shown if not shown or _HARMLESS.fullmatch(shown) else _HIDDEN

    @property
    def kwargsrepr(self) -> str:
        """Its keyword arguments, as events show them."""
        return "{}" if super().kwargsrepr in ("", None, "{}") else _HIDDEN

    def info(self, safe: bool = False) -> Any:
        """What `inspect active` and Flower show of it."""
        return {**super().info(safe=True), "args": self.argsrepr, "kwargs": self.kwargsrepr}

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__}: {self.humaninfo()} {self.argsrepr} {self.kwargsrepr}>"

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002 - Celery's own name
        """Tell Flower and others; an exception and its traceback without what they may quote."""
        shown = {name: logs.brief(value) if name in _OF_ITS_FAILURE else value for name, value in fields.items()}
        super().send_event(type, **shown)


def hide_bodies() -> None:
    """What Celery logs of messages that it can't read has their size, and not their body."""
    consumer.dump_body = _size


def _size(m: Any, body: Any) -> str:
    return f"{_HIDDEN}: {len(m.body)} bytes"
