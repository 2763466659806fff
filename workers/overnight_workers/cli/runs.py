"""`overnight runs`: runs of catalogs; one of them, approved or stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overnight_workers.cli import console
from overnight_workers.cli.decide import user

runs = typer.Typer(invoke_without_command=True, help="Runs of catalogs: what they sent, why, and what came of it.")
Name = Annotated[str, typer.Argument(metavar="RUN", help="Its name, such as airports-7.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@runs.callback()
def listed(
    context: typer.Context,
    catalog: Annotated[str | None, typer.Option(help="Only this catalog's.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 30,
    as_json: Json = False,
) -> None:
    """Runs of catalogs, those that aren't over first."""
    if context.invoked_subcommand is not None:
        return
    from overnight_models.ledger.catalogs import runs as ledger
    from overnight_workers.cli.run_pages import document, runs_table
    from overnight_workers.process import database

    with database().transaction() as connection:
        latest = ledger.runs(connection, catalog=catalog, limit=limit)
    if as_json:
        console.as_json([document(run) for run in latest])
    elif latest:
        console.OUT.print(runs_table(latest))
    else:
        console.OUT.print("No runs: `overnight enrich catalogs/NAME.toml` begins one.")


@runs.command()
def show(
    name: Name,
    html: Annotated[Path | None, typer.Option(help="Write its report there, as one page without network.")] = None,
    as_json: Json = False,
) -> None:
    """One run: its plan with the dollars, and what came of it; its report, of one under way with what has come."""
    from overnight_workers.catalogs.report import writing
    from overnight_workers.catalogs.runs.finding import find
    from overnight_workers.catalogs.runs.reporting import report_of
    from overnight_workers.cli.run_pages import document, page

    run = find(name)
    report = report_of(run) if html is not None or as_json else {}
    if html is not None:
        writing.write_page(html, report)
        console.say(f"the report of {run.name} is in {html}")
    if as_json:
        console.as_json(document(run) | {"report": report})
    elif html is None:
        console.OUT.print(page(run))


@runs.command()
def approve(name: Name) -> None:
    """Let a run send what it has planned; the workers go on with it."""
    from overnight_models.ledger.operators.actions import By
    from overnight_workers.catalogs import steering

    console.OUT.print(steering.approve(name, By(user())), markup=False)


@runs.command()
def stop(name: Name) -> None:
    """End a run: what isn't sent is taken back; what is answered is paid, and the next run has it for nothing."""
    from overnight_models.ledger.operators.actions import By
    from overnight_workers.catalogs import steering

    console.OUT.print(steering.stop(name, By(user())), markup=False)
