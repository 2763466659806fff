"""`overnight plan FILE`: what it will cost and when it is likely done, before anything is spent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from overnight_models.errors import BadSettings, PermanentError
from overnight_models.quantities import seconds
from overnight_workers.cli import console

if TYPE_CHECKING:
    from overnight_models.ledger.money.plans import Kept
    from overnight_workers.plan.making import News
    from overnight_workers.plan.plan import Plan


def plan(
    file: Annotated[
        Path | None, typer.Argument(help="JSON Lines as `overnight enqueue` takes them; - for standard input.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="When it has to be done: '06:00', 2026-11-26T06:00, or '8h' from now.")
    ] = None,
    lane: Annotated[str, typer.Option(help="The lane it would go into.")] = "default",
    run: Annotated[str | None, typer.Option(help="Keep the plan under this run's name, to be compared later.")] = None,
    within: Annotated[
        float, typer.Option(min=0.01, max=50, help="Half the wanted interval of the tokens that go in, in percent.")
    ] = 1.0,
    sample: Annotated[int | None, typer.Option(min=20, help="Count so many items, whatever the interval.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another sample.")] = 0,
    exact: Annotated[bool, typer.Option("--exact", help="Count every item, as fast as the account may.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody: tokens are assumed from bytes.")] = False,
    pilot: Annotated[
        int, typer.Option(min=0, help="Enqueue so many of the items now, and pay for them, to measure their answers.")
    ] = 0,
    pilot_wait: Annotated[str, typer.Option(help="How long to wait for the pilot's answers.")] = "1h",
    output_share: Annotated[
        float, typer.Option(min=0.01, max=1, help="Of max_tokens: how long answers are where nothing is known.")
    ] = 0.25,
    compare: Annotated[
        str | None, typer.Option(help="Show this run's kept plan beside its bill, and no other.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a file of requests will cost and when it is likely done; nothing is enqueued, nothing is spent.

    Five questions, each answered for this file: what batching rules out, what is in it (by the API's free counting of
    a random sample), when it is done, whether caching pays, and which road to take. Every number says whether it was
    counted, sampled, learned, measured or assumed. Only `--pilot` spends money, and says how much.
    """
    if compare is not None:
        _compare(compare, as_json)
        return
    if file is None:
        raise PermanentError("name a file of requests, or say --compare RUN")
    if [exact, offline, sample is not None].count(True) > 1:
        raise PermanentError("say one of --exact, --offline and --sample")
    from overnight_workers.plan.making import make
    from overnight_workers.plan.plan import Wish

    now = datetime.now(UTC)
    wish = Wish(
        file=file,
        lane=lane,
        run=run,
        by=None if by is None else deadline(by, now),
        sample=sample,
        within=within / 100,
        seed=seed,
        exact=exact,
        offline=offline,
        pilot=pilot,
        pilot_wait_s=_seconds(pilot_wait),
        output_share=output_share,
    )
    if not offline:
        _find_a_key(lane)
    with console.interruptible(), _news(file) as news:
        made = make(wish, news, now)
    document = _kept(made)
    if as_json:
        console.as_json(document)
    else:
        from overnight_workers.cli import plan_page

        console.OUT.print(plan_page.page(made), width=min(plan_page.WIDTH, console.OUT.width))


def deadline(text: str, now: datetime) -> datetime:
    """A time of day (the next one), a date with a time, or a duration from now. Local unless it says otherwise."""
    try:
        return now + timedelta(seconds=seconds(text))
    except ValueError:
        pass
    here = now.astimezone()
    for form in ("%H:%M", "%H:%M:%S"):
        try:
            at = datetime.strptime(text, form)  # noqa: DTZ007  # a time of day
        except ValueError:
            continue
        today = here.replace(hour=at.hour, minute=at.minute, second=at.second, microsecond=0)
        return today if today > here else today + timedelta(days=1)
    try:
        today = datetime.fromisoformat(text)
    except ValueError as error:
        raise PermanentError(f"--by {text!r} is no time: write '06:00', 2026-11-26T06:00 or '8h'") from error
    today = today if today.tzinfo else today.replace(tzinfo=here.tzinfo)
    if today <= now:
        raise PermanentError(f"--by {text} is over")
    return today


def _seconds(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise PermanentError(f"--pilot-wait: {error}") from error


def _find_a_key(lane: str) -> None:
    """Beside a running `overnight up` without a key, its sandbox is asked: this process has no key of its own."""
    from overnight_models.embedded_urls import read_urls
    from overnight_workers.keys import api_keys
    from overnight_workers.settings import settings

    name = settings().lanes[lane].workspace if lane in settings().lanes else "default"
    workspace = settings().workspaces[name]
    if api_keys.has_key(name, workspace):
        return
    url = read_urls(settings().data_dir).get("sandbox_url")
    if url is None or workspace.base_url or workspace.key_source.kind != "env":
        advice = f"set {workspace.key_source.place}" if workspace.key_source.kind == "env" else "see `overnight doctor`"
        raise BadSettings([f"workspace {name!r} has no key: {advice}, or say --offline"])
    variable = workspace.key_source.place
    console.say(f"no {variable}: the sandbox of `overnight up` at {url} is asked, whose counts are made up")
    os.environ[variable] = "sk-sandbox-default"
    os.environ.setdefault("ANTHROPIC_BASE_URL", url)


@contextmanager
def _news(file: Path) -> Iterator[News]:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from overnight_workers.plan.making import News

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console.ERR, transient=True) as progress:
        size = file.stat().st_size if file.is_file() else None
        reading = progress.add_task("reading the file", total=size)
        counting = progress.add_task("counting tokens", total=None, visible=False)
        piloting = progress.add_task("the pilot's answers", total=None, visible=False)
        yield News(
            reading=lambda offset: progress.update(reading, completed=offset),
            counting=lambda items: progress.update(counting, visible=True, description=f"{items:,} prompts counted"),
            pilot=lambda final, all_: progress.update(piloting, visible=True, completed=final, total=all_),
            say=console.say,
        )


def _kept(made: Plan) -> dict[str, object]:
    """The plan as JSON; kept in the ledger when it has a run."""
    import orjson

    from overnight_models.ledger.money import plans
    from overnight_workers.plan.document import document
    from overnight_workers.process import database, names

    whole = document(made)
    if made.wish.run is not None and made.survey.items:
        run_id, lane_id = names().run(made.wish.run), names().lane(made.wish.lane)
        assert run_id is not None, "it has a name"
        with database().transaction() as connection:
            plans.keep(connection, run_id, lane_id, made.estimates, orjson.dumps(whole).decode())
    return whole


def _document(kept: Kept) -> dict[str, object]:
    """A kept plan beside its bill, as JSON; money as in a plan's."""
    from dataclasses import asdict

    from overnight_models.wire.outcome import dollars

    document = asdict(kept)
    cost = document["estimates"].pop("cost_nano")
    document["estimates"]["cost"] = {
        "usd": dollars(cost["value"]),
        "low_usd": dollars(cost["low"]),
        "high_usd": dollars(cost["high"]),
    }
    document["billed"]["cost_usd"] = dollars(document["billed"].pop("cost_nano"))
    return document


def _compare(run: str, as_json: bool) -> None:
    from overnight_models.ledger.money import plans
    from overnight_workers.cli import plan_page
    from overnight_workers.cli.plan_compared import compared
    from overnight_workers.process import database

    with database().transaction() as connection:
        plans.settle(connection)
        kept = plans.kept(connection, run)
    if kept is None:
        raise PermanentError(f"no plan of a run {run!r} is kept: `overnight plan FILE --run {run}` keeps one")
    if as_json:
        console.as_json(_document(kept))
    else:
        console.OUT.print(compared(kept), width=min(plan_page.WIDTH, console.OUT.width))
