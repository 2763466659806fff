"""The `flower` command: for Overnight's app, and only for it, Flower starts with our pages.

Celery's command line has loaded Flower's command before it loads the app, and calls it after that. In between, the
app puts this in the command's place; nothing of Flower is imported here, so a worker or a beat starts no slower.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import click
from celery import Celery

DEFAULTS: Final = {
    "tasks_columns": "name,state,args,result,received,runtime,worker",
    # Flower keeps them in memory; what happened is in the ledger
    "max_tasks": 20_000,
    # a container that was replaced is no worker that is missing
    "purge_offline_workers": 3600,
}
"""Flower options that are ours by default; the environment, the command line and flowerconfig.py go over them."""


def install(app: Celery[Any]) -> None:
    """Give this app's `flower` command our pages. Does nothing outside Celery's command line."""
    loaded = sys.modules.get("flower.command")
    if loaded is None:
        return
    stock = loaded.flower.callback

    def flower(*arguments: object, **options: object) -> object:
        if click.get_current_context().obj.app is app:
            _prepare(loaded)
        return stock(*arguments, **options)

    loaded.flower.callback = flower


def _prepare(command: Any) -> None:
    """Have the stock command start our server, with our defaults and templates."""
    from overnight_workers.flower_tab.server import BatchesFlower
    from overnight_workers.flower_tab.task_texts import without_bodies
    from overnight_workers.flower_tab.templates import OverlayLoader

    command.Flower = BatchesFlower
    command.settings["template_loader"] = OverlayLoader(command.settings["template_path"])
    for name, value in DEFAULTS.items():
        setattr(command.options, name, value)
    command.options.format_task = without_bodies
