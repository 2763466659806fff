"""`overnight enrich`: a catalog's new and changed rows are sent, and their answers published."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from overnight_models.errors import OvernightError, PermanentError, TransientError
from overnight_workers.cli import console

if TYPE_CHECKING:
    from overnight_models.ledger.catalogs.runs import Run
    from overnight_workers.catalogs.declaration import Catalog
    from overnight_workers.catalogs.runs.taken import Wish
    from overnight_workers.cli.run_pages import Shown

_EXITS: Final = {"complete": 0, "partial": 3, "stopped": 1}
_TAKE_EVERY_S: Final = 1.0
_PATIENCE_S: Final = 60.0
"""How long Postgres, Redis or the workers may be away."""


def enrich(
    file: Annotated[Path, typer.Argument(help="The catalog's declaration, such as catalogs/airports.toml.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Send so many rows at most.")] = None,
    where: Annotated[
        str | None, typer.Option(help="Only rows of which this SQL expression is true: \"country = 'DE'\".")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Only rows that have no useful answer; refused ones never.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent, why, and for how many dollars. Nothing is sent.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask, however much would be sent.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send a catalog's new and changed rows, and publish their answers.

    A run plans, sends a pilot, sends the rest, asks again for what came back invalid or cut off, and publishes. Ctrl-C
    detaches: the workers go on with it. Killed anywhere it goes on where it was, and nothing is paid twice.
    Exits with 0 when it is complete, 3 when some rows have to be sent again, 1 when it was stopped.
    """
    from overnight_workers.catalogs.reading import read_catalog
    from overnight_workers.catalogs.runs.taken import Wish

    wish = Wish(limit=limit, where=where, retry_failed=retry_failed, approved=yes)
    run = None
    try:
        catalog = read_catalog(file)
        if dry_run:
            _dry(catalog, wish, as_json)
            return
        run = _begin(catalog, wish)
        run = _follow(run, may_ask=not as_json and console.ERR.is_terminal)
    except KeyboardInterrupt:
        _detach(run)
    assert run is not None, "a command that was interrupted has ended"
    _tell(run, as_json)
    raise typer.Exit(_EXITS.get(run.state, 1))


def _dry(catalog: Catalog, wish: Wish, as_json: bool) -> None:
    from overnight_workers.catalogs.runs import planning
    from overnight_workers.cli.run_pages import plan_table

    _, document = planning.made(catalog, wish)
    asks = planning.why_ask(catalog, document)
    if as_json:
        console.as_json(document | {"asks": asks})
        return
    console.OUT.print(plan_table(document))
    if asks is not None:
        console.OUT.print(f"asks first: {asks}", markup=False)


def _begin(catalog: Catalog, wish: Wish) -> Run:
    """A new run, or the one that isn't over."""
    from overnight_workers.catalogs.runs.beginning import UnderWay, begin

    try:
        return begin(catalog, wish)
    except UnderWay as error:
        if error.run.state == "asking":
            raise PermanentError(str(error)) from error
        console.say(f"{error}: watching it; afterwards run `overnight enrich` again for what is new")
        return error.run


def _follow(run: Run, *, may_ask: bool) -> Run:
    """Take the run's steps, or watch whoever takes them, until it is over or asks."""
    from overnight_workers.catalogs.runs import advancing
    from overnight_workers.cli.run_pages import progress_of

    away_since: float | None = None
    with progress_of(run) as shown:
        while True:
            try:
                run = advancing.read(run.id)
                if run.is_over or (run.state == "asking" and not _approved(run, may_ask)):
                    return run
                _steps(run, shown)
                away_since = None
            except TransientError as error:
                shown.waits(run, f"waits: {error}")
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > _PATIENCE_S:
                    raise OvernightError(f"{error}. Run {run.name} goes on when it is back, by itself") from error
            time.sleep(_TAKE_EVERY_S)  # whoever takes its steps is another process


def _steps(run: Run, shown: Shown) -> None:
    """Take the run and its steps until it is over; at once back when another process has it."""
    from overnight_workers.catalogs.runs import advancing

    taken = advancing.take(run.id, advancing.own_name("enrich"), shown.rows)
    if taken is None:
        shown.watch(advancing.read(run.id))
        return
    try:
        while True:
            step = advancing.advance(taken)
            shown.step(taken.run, step)
            if step.is_over or step.asks:
                return
            if step.wait_s:
                time.sleep(step.wait_s)
    finally:
        advancing.leave(taken)


def _approved(run: Run, may_ask: bool) -> bool:
    """Ask whoever sits there. Raises KeyboardInterrupt for Ctrl-C, which click tells as an end of the input."""
    from overnight_workers.catalogs.runs import advancing

    if not may_ask:
        return False
    try:
        said = typer.confirm(f"{run.reason}. Send it?", default=False)
    except typer.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from abort
        raise
    return said and advancing.approve(run.id)


def _detach(run: Run | None) -> None:
    """Say what becomes of the run, and how to go on."""
    if run is None:
        console.say("detached: nothing was sent; if a run had begun, the workers go on with it: `overnight runs`")
        raise typer.Exit(130)
    from overnight_workers.catalogs.runs import advancing

    with suppress(TransientError):
        run = advancing.read(run.id)
    shows, ends = f"`overnight runs show {run.name}`", f"`overnight runs stop {run.name}` ends it"
    if run.is_over:
        console.say(f"detached: {run.name} is over ({run.state}). {shows} says what came of it")
    elif run.state == "asking":
        console.say(f"detached: {run.name} sends nothing before `overnight runs approve {run.name}`; {ends}")
    else:
        console.say(
            f"detached: the workers go on with {run.name}, and so does `overnight enrich`."
            f" {shows} says how far it is, {ends}"
        )
    raise typer.Exit(130)


def _tell(run: Run, as_json: bool) -> None:
    from overnight_workers.cli.run_pages import document, page

    if as_json:
        console.as_json(document(run))
    else:
        console.OUT.print(page(run))
