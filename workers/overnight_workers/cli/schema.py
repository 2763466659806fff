"""`overnight schema`: the contract with products, as JSON Schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from overnight_models.errors import PermanentError
from overnight_workers.cli import console

Name = Literal[
    "accept",
    "confirm",
    "confirm-reply",
    "callback",
    "outcome",
    "outcome-question",
    "outcome-reply",
    "acknowledgement",
    "webhook",
    "webhook-reply",
]


def schema(
    name: Annotated[Name | None, typer.Argument(help="Which.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write NAME.json into this directory; all of them without NAME.")
    ] = None,
) -> None:
    """Print the JSON Schema of a message between Overnight and a product, for a client in any language.

    `accept` enqueues, `confirm` asks what became of that, and `outcome-question` for an item's `outcome`; each has its
    reply. `callback` comes into a Celery queue and bears an `outcome`, `acknowledgement` says that its work is done;
    `webhook` is the same over HTTP, and `webhook-reply` what an endpoint may answer.
    """
    from overnight_models.wire.schemas import NAMES
    from overnight_models.wire.schemas import schema as document

    if out is None:
        if name is None:
            raise typer.BadParameter(f"say which: {', '.join(NAMES)}; or --out DIR for all of them")
        console.as_json(document(name))
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        for each in NAMES if name is None else (name,):
            path = out / f"{each}.json"
            path.write_text(json.dumps(document(each), indent=2, ensure_ascii=False) + "\n")
            console.OUT.print(str(path), markup=False, soft_wrap=True)
    except OSError as error:
        raise PermanentError(f"the schemas can't be written: {error}") from error
