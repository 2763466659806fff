"""The texts of a task on Flower's pages: never a request's body."""

from __future__ import annotations

from typing import Any, Final

from overnight_models import routes

_HIDDEN: Final = "(not shown)"
_MOST_CHARACTERS: Final = 200


def without_bodies(task: Any) -> Any:
    """Flower's `format_task`: items stay out of sight even if their producer didn't say what to show.

    Our own producers send a short text beside the items; Celery's send_task would send the items' beginning.
    """
    if task.name in (routes.ACCEPT, routes.ANSWER):
        task.kwargs = _HIDDEN if task.kwargs not in (None, "", "{}") else task.kwargs
    for text in ("args", "result"):
        said = getattr(task, text, None)
        if isinstance(said, str) and len(said) > _MOST_CHARACTERS:
            setattr(task, text, said[:_MOST_CHARACTERS] + "…")
    return task
