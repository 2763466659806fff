"""`overnight encryption`: keys by which bodies are encrypted at rest, and everything encrypted anew."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer
from rich.table import Table

from overnight_models.quantities import several
from overnight_workers.cli import console, item_options
from overnight_workers.cli.act import by

encryption = typer.Typer(invoke_without_command=True, help="Encryption at rest: keys, and which may go.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@encryption.callback()
def standing(context: typer.Context, as_json: Json = False) -> None:
    """Look at everything that is kept, and say which key it needs: exit code 1 where one isn't there.

    A key that nothing needs any more may go; backups that were made before need it longer.
    """
    if context.invoked_subcommand is not None:
        return
    from overnight_workers.operators.encryption import standing

    now = standing()
    if as_json:
        keys = [dataclasses.asdict(key) | {"may_go": key.may_go} for key in now.keys]
        console.as_json([{"keys": keys, "plain": now.plain, "needless": now.needless}])
    else:
        table = Table("key", "of", "lanes write by it", "values", "", box=None)
        for key in now.keys:
            word = "may go" if key.may_go else "isn't there: put it back" if key.named is None else ""
            table.add_row(key.id, key.named or "-", ", ".join(key.writes), f"{key.values:,}", word)
        console.OUT.print(table)
        for lane, n in now.plain.items():
            console.say(f"lane {lane}: {several(n, 'value')} to be encrypted yet: `overnight encryption rotate`")
        for lane, n in now.needless.items():
            still = several(n, "value is", "values are")
            console.say(f"lane {lane} doesn't encrypt, and {still} encrypted: `overnight encryption rotate`")
    if any(key.named is None and key.values for key in now.keys):
        raise typer.Exit(1)


@encryption.command()
def new() -> None:
    """Print a new key, for the first line of where `keys` of an `[encryption.NAME]` leads."""
    from overnight_workers.operators.encryption import new_key

    typer.echo(new_key())


@encryption.command()
def rotate(reason: item_options.Reason = None) -> None:
    """Encrypt what is kept by the keys of today, while everything runs; also what wasn't encrypted, or needn't be.

    Killed in the middle, the same again goes on. How much was written is kept in `overnight actions`. Exit code 1:
    something can't be read, so its key can't go yet.
    """
    from overnight_workers.operators.encryption import note_rotation, rotate

    changed, unread, why, whole = 0, 0, None, False
    try:
        with console.ERR.status("encrypting") as status:
            for column, stepped in rotate():
                changed += stepped.changed
                unread += stepped.unread
                why = why or stepped.why
                status.update(f"{column}: up to item {stepped.last or 'the last'}; {changed:,} values written")
        whole = True
    finally:
        note_rotation(by(reason), changed=changed, unread=unread, whole=whole)
    written = several(changed, "value is", "values are")
    console.say(f"{written} written anew: `overnight encryption` says which keys may go")
    if unread:
        left = several(unread, "value can't be read and stays as it is", "values can't be read and stay as they are")
        console.fail(f"{left}: {why}")
        raise typer.Exit(1)
