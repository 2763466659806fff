"""`overnight schedules`: when catalogs run by themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from overnight_models.errors import PermanentError
from overnight_workers.cli import console
from overnight_workers.cli.decide import user

if TYPE_CHECKING:
    from overnight_models.ledger.catalogs.schedules import Schedule, Time

_SHOWN: Final = 3
_SHOWN_BEFORE_KEEPING: Final = 5

schedules = typer.Typer(invoke_without_command=True, help="When catalogs run by themselves.")

Name = Annotated[str, typer.Argument(help="The catalog's name.")]
Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


@schedules.callback()
def listed(context: typer.Context, as_json: Json = False) -> None:
    """Show every schedule: in words, the next three times and the last three.

    `overnight schedules keep FILE` begins one.
    """
    if context.invoked_subcommand is not None:
        return
    from overnight_models.ledger.catalogs import schedules as ledger
    from overnight_workers.process import database

    with database().transaction() as connection:
        shown = [
            (schedule, ledger.last_times(connection, schedule.catalog_id, _SHOWN))
            for schedule in ledger.schedules(connection)
        ]
    if as_json:
        console.as_json({"schedules": [_document(schedule, last) for schedule, last in shown]})
        return
    if not shown:
        console.say("no catalog has a schedule: write `schedule` and `time_zone` into its file, then")
        console.say("    overnight schedules keep catalogs/NAME.toml")
    for schedule, last in shown:
        _show(schedule, last)


@schedules.command()
def keep(
    file: Annotated[Path, typer.Argument(help="The catalog's file, with `schedule` and `time_zone`.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Let a catalog run by its file's schedule, after a look at its next five times.

    Keep it again when the file's schedule changes; the rest of the file is read anew for each run.
    """
    from overnight_models.ledger.catalogs import schedules as ledger
    from overnight_models.ledger.catalogs.schedules import Declared
    from overnight_workers.catalogs import steering
    from overnight_workers.catalogs.reading import read_catalog
    from overnight_workers.process import database

    catalog = read_catalog(file)
    if catalog.schedule is None or catalog.time_zone is None:
        raise PermanentError(f'{file} has no schedule: write schedule = "0 22 * * *" and time_zone = "Europe/Berlin"')
    times = steering.times(catalog.schedule, catalog.time_zone)
    dues = times.next(datetime.now(UTC), _SHOWN_BEFORE_KEEPING)
    console.OUT.print(f"{catalog.name}: {times.words()}", markup=False)
    for due in dues:
        console.OUT.print(f"    {steering.moment(due)}", markup=False)
    if not yes and not console.ask("Keep it?"):
        raise typer.Exit(1)
    declared = Declared(
        path=str(file.resolve()),
        declaration=catalog.text,
        cron=times.cron,
        zone=times.zone,
        finish_by=catalog.finish_by,
        overlap=catalog.overlap,
        when_paused=catalog.when_paused,
    )
    with database().transaction() as connection:
        before = ledger.schedules(connection, catalog.name)
        ledger.keep(connection, catalog.name, declared, next_at=dues[0].at, who=user())
    console.OUT.print(f"kept: {catalog.name} runs next on {steering.moment(dues[0])}", markup=False)
    if before and before[0].skipped is not None:
        skip = f"overnight schedules skip {catalog.name}"
        console.OUT.print(f"the night that was to be left out isn't any more: {skip}", markup=False)


@schedules.command()
def pause(name: Name, why: Annotated[str, typer.Option(help="For whoever looks later.")] = "by an operator") -> None:
    """Begin no run by itself until `overnight schedules resume`. A run that is under way goes on."""
    from overnight_models.ledger.operators.actions import By
    from overnight_workers.catalogs import steering

    console.OUT.print(steering.pause(name, By(user(), reason=why)), markup=False)


@schedules.command()
def resume(name: Name) -> None:
    """Go on with a paused schedule."""
    from overnight_models.ledger.operators.actions import By
    from overnight_workers.catalogs import steering

    console.OUT.print(steering.resume(name, By(user())), markup=False)


@schedules.command()
def skip(
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Run it after all.")] = False,
) -> None:
    """Leave the next time out: tonight's run, and no other."""
    from overnight_models.ledger.operators.actions import By
    from overnight_workers.catalogs import steering

    console.OUT.print(steering.skip(name, By(user()), undo=undo), markup=False)


@schedules.command()
def forget(name: Name) -> None:
    """Let a catalog run by itself no more. Its runs and what was sent stay known."""
    from overnight_models.ledger.operators.actions import By
    from overnight_workers.catalogs import steering

    console.OUT.print(steering.forget(name, By(user())), markup=False)


def _show(schedule: Schedule, last: list[Time]) -> None:
    from overnight_workers.catalogs import steering

    times = steering.times(schedule.cron, schedule.zone)
    finish = "" if schedule.finish_by is None else f", done by {schedule.finish_by}"
    console.OUT.print(f"{schedule.catalog}: {times.words()}{finish}", markup=False)
    if schedule.paused_at is not None:
        console.OUT.print(
            f"    paused by {schedule.paused_by} on {schedule.paused_at:%Y-%m-%d %H:%M} UTC: {schedule.pause_reason};"
            f" {steering.kept_while_paused(schedule)}",
            markup=False,
        )
    from overnight_workers.catalogs.schedule_times import nominal

    for due in times.next(schedule.now, _SHOWN):
        left_out = ", left out" if nominal(due) == schedule.skipped else ""
        left_out = left_out or (", when it is resumed by then" if schedule.paused_at is not None else "")
        console.OUT.print(f"    next  {steering.moment(due)}{left_out}", markup=False)
    under_way = _under_way(schedule)
    if under_way is not None:
        console.OUT.print(f"    now   {under_way}", markup=False)
    for time in last:
        ran = f"run {time.number} {time.state}" if time.number is not None else "no run"
        why = "" if time.reason is None else f": {time.reason}"
        console.OUT.print(f"    last  {time.nominal_at}  {ran}{why}", markup=False)
    changed = _changed(schedule)
    if changed:
        console.OUT.print(f"    ! {changed}", markup=False)


def _under_way(schedule: Schedule) -> str | None:
    """The catalog's run that isn't over, and when it will be; None when there is none."""
    from overnight_models.ledger.catalogs import runs
    from overnight_workers.cli.run_pages import forecast_of
    from overnight_workers.process import database

    with database().transaction() as connection:
        run = next((run for run in runs.runs(connection, catalog=schedule.catalog, limit=1) if not run.is_over), None)
    if run is None:
        return None
    expected = forecast_of(run)
    said = "" if expected is None else f": {expected.missed + '; ' if expected.missed else ''}{expected.words}"
    return f"{run.name} is {run.state}{said}"


def _changed(schedule: Schedule) -> str | None:
    """What the catalog's file says otherwise than what is kept; None when it says the same."""
    from overnight_workers.catalogs.faults import BadCatalog, in_a_line
    from overnight_workers.catalogs.reading import read_catalog
    from overnight_workers.catalogs.schedules.starting import why_not_its_own

    catalog, why = None, None
    try:
        catalog = read_catalog(Path(schedule.path))
        why = why_not_its_own(catalog, schedule)
    except (BadCatalog, OSError) as error:
        why = in_a_line(error) if isinstance(error, BadCatalog) else str(error)
    if catalog is None or why is not None:
        return f"its file can't be used, and its runs stop before anything is sent: {why}"
    if catalog.schedule is None:
        return f"its file has no schedule any more: overnight schedules forget {schedule.catalog}"
    kept = (schedule.cron, schedule.zone, schedule.finish_by, schedule.overlap, schedule.when_paused)
    in_file = (
        " ".join(catalog.schedule.split()),
        catalog.time_zone,
        catalog.finish_by,
        catalog.overlap,
        catalog.when_paused,
    )
    if kept == in_file:
        return None
    return f"its file says otherwise now: overnight schedules keep {schedule.path}"


def _document(schedule: Schedule, last: list[Time]) -> dict[str, object]:
    from overnight_workers.catalogs import steering

    times = steering.times(schedule.cron, schedule.zone)
    return {
        "catalog": schedule.catalog,
        "file": schedule.path,
        "schedule": schedule.cron,
        "time_zone": schedule.zone,
        "words": times.words(),
        "finish_by": schedule.finish_by,
        "overlap": schedule.overlap,
        "when_paused": schedule.when_paused,
        "paused_by": schedule.paused_by,
        "paused_at": schedule.paused_at,
        "skipped": schedule.skipped,
        "next": [
            {"local": due.nominal.isoformat(timespec="minutes"), "at": due.at}
            for due in times.next(schedule.now, _SHOWN)
        ],
        "last": [time._asdict() for time in last],
        "under_way": _under_way(schedule),
        "file_says": _changed(schedule),
    }
