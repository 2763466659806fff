"""`overnight demo`: the whole system at work on a real catalog, from an empty directory to a bill."""

from __future__ import annotations

import os
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from overnight_models.embedded_urls import default_data_dir, made
from overnight_models.quantities import spoken
from overnight_workers.cli.console import ERR, OUT, interruptible, money, say

if TYPE_CHECKING:
    from overnight_models.ledger.money.costs import Costs
    from overnight_models.ledger.money.runs import Timeline
    from overnight_producers import Overnight
    from overnight_workers.demo.catalog import Airport
    from overnight_workers.one_machine.supervisor import Process

_RUN: Final = "airports"

_CONFIG: Final = """\
[lanes.default]
max_wait = "2s"
callbacks = ["airports.*"]

[timing]
poll_every = "{poll_every}"
sweep_every = "1s"
"""


def demo(
    rows: Annotated[int, typer.Option(min=1, max=7000, help="How many airports.")] = 1000,
    turnaround: Annotated[str, typer.Option(help="How long the sandbox's batch takes.")] = "8s",
    keep: Annotated[bool, typer.Option("--keep", help="Stay up at the end, to look around in Flower.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where it works. [default: `demo` in the user's own]")] = None,
) -> None:
    """Enrich 1,000 airports: watch them go out as one batch and come back to a product's own Celery task.

    Starts everything it needs and stops it at the end (Ctrl-C does too). Without ANTHROPIC_API_KEY, or without a
    terminal to say yes at, the answers are made up by the sandbox and nothing is spent.
    """
    from overnight_workers.demo import catalog
    from overnight_workers.one_machine.installation import Installation
    from overnight_workers.one_machine.supervisor import Supervisor

    airports = catalog.airports(rows)
    paid = _wants_to_pay(airports)
    home = made(data_dir or default_data_dir() / ("demo-paid" if paid else "demo"))
    with interruptible(), Supervisor(home, say=say) as supervisor:
        if not paid:
            _clear(home)
        (home / "overnight.toml").write_text(_CONFIG.format(poll_every="10s" if paid else "1s"))
        os.environ["OVERNIGHT_CONFIG"] = str(home / "overnight.toml")
        os.environ["AIRPORTS_CSV"] = str(home / "airports.csv")
        installation = Installation(home, sandbox=not paid, sandbox_options=["--turnaround", turnaround], say=say)
        began = time.monotonic()
        installation.start(supervisor)
        supervisor.start(_product(installation.environment))
        say(f"everything answers after {spoken(time.monotonic() - began)}; Flower: {installation.urls['flower_url']}")
        _run(airports, paid)
        if keep:
            say(f"still running; Flower is at {installation.urls['flower_url']}, Ctrl-C stops everything")
            supervisor.run_forever()
    say("everything is stopped")


def _wants_to_pay(airports: list[Airport]) -> bool:
    """Whether the real API is to be used: only with a key, at a terminal, after the price was shown."""
    from overnight_models.money import prices
    from overnight_workers.demo import catalog

    if not os.environ.get("ANTHROPIC_API_KEY"):
        say("No ANTHROPIC_API_KEY: the API is played by the sandbox. Its answers are made up, and nothing is spent.")
        return False
    if not sys.stdin.isatty():
        say("No terminal to say yes at: the API is played by the sandbox. Its answers are made up, nothing is spent.")
        return False
    model = prices.load().model(catalog.MODEL)
    assert model is not None
    # about 400 tokens of schema, instructions and airport, and 80 of answer; at most all of max_tokens
    expected, highest = (
        prices.cost(model, prices.Usage(input_tokens=400, output_tokens=out), batch=True) * len(airports)
        for out in (80, catalog.MAX_TOKENS)
    )
    say(f"{len(airports):,} requests to {catalog.MODEL}, batched: about {money(expected)}, at most {money(highest)}.")
    return typer.confirm("Use the real API?", default=False)


def _clear(home: Path) -> None:
    """A demo begins with nothing; what an earlier one left is removed, but not under a running supervisor's feet."""
    for name in ("postgres", "redis", "sandbox", "airports.csv", "beat-schedule", "urls.json"):
        path = home / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _product(environment: dict[str, str]) -> Process:
    from overnight_workers.one_machine.supervisor import Process

    return Process(
        name="product",
        argv=[
            *[sys.executable, "-m", "celery", "-A", "overnight_workers.demo.product", "worker", "-n", "product@%h"],
            *["-Q", "airports.save", "-P", "solo", "--without-gossip", "--without-mingle", "--loglevel", "INFO"],
        ],
        env=environment,
    )


def _run(airports: list[Airport], paid: bool) -> None:
    from overnight_models.ledger.money import runs
    from overnight_models.ledger.money.costs import costs, total
    from overnight_producers import Overnight
    from overnight_workers.demo import product
    from overnight_workers.process import database

    overnight = Overnight()
    began_at = datetime.now(UTC)
    began = time.monotonic()
    sent = overnight.enqueue_many(product.items(airports), run=_RUN)
    overnight.confirm(sent, timeout=60)
    confirmed_s = time.monotonic() - began
    say(f"{sent.items:,} items enqueued and confirmed in {spoken(confirmed_s)}")
    _watch(overnight, len(airports))
    delivered_at = datetime.now(UTC)
    with database().transaction() as connection:
        timeline, bill = runs.timeline(connection, _RUN), total(costs(connection, "model", run_name=_RUN))
    rows = product.rows()
    _show_rows(rows, paid)
    _show_stages(timeline, began_at, delivered_at)
    _show_bill(bill, paid)
    OUT.print(f"\n{len(rows):,} rows: {product.csv_file()}", style="bold")


def _watch(overnight: Overnight, total: int) -> None:
    """Progress, until the product has written every row."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from overnight_models.ledger.operators import overview
    from overnight_models.states import ITEM
    from overnight_workers.demo import product
    from overnight_workers.process import database

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=ERR) as progress:
        batch = progress.add_task("batch: being packed", total=None)
        answered = progress.add_task("answered", total=total)
        written = progress.add_task("in the product's CSV", total=total)
        while not progress.finished and not progress.tasks[written].finished:
            states = overnight.run(_RUN)
            with database().transaction() as connection:
                batches = overview.batches(connection)
            words = ", ".join(f"{batch.items:,} items {batch.state}" for batch in batches) or "being packed"
            progress.update(batch, description=f"batch: {words}", completed=0)
            progress.update(answered, completed=sum(n for state, n in states.items() if state in ITEM.final))
            progress.update(written, completed=len(product.rows()))
            time.sleep(0.3)  # a page that is looked at
        progress.update(batch, total=1, completed=1)


def _show_rows(rows: list[dict[str, str]], paid: bool) -> None:
    title = "some of the rows" if paid else "some of the rows (answers made up by the sandbox)"
    table = Table(title=title, title_justify="left", header_style="bold", expand=True)
    for column, ratio in (("iata", 1), ("name", 4), ("category", 2), ("description", 9)):
        table.add_column(column, ratio=ratio, no_wrap=column in ("iata", "category"))
    for row in rows[:: max(len(rows) // 6, 1)][:6]:
        table.add_row(*(Text(row[column]) for column in ("iata", "name", "category", "description")))
    OUT.print(table)


def _show_stages(timeline: Timeline, began_at: datetime, delivered_at: datetime) -> None:
    table = Table(title="where the time went", title_justify="left", header_style="bold")
    table.add_column("stage")
    table.add_column("took", justify="right")
    table.add_column("what it did")
    before = began_at
    for stage, at, what in (
        ("accept", timeline.accepted_at, "messages of 500 items became rows in Postgres"),
        ("pack", timeline.packed_at, f"{timeline.batches} batch, when the oldest item had waited max_wait (2 s)"),
        ("submit", timeline.created_at, "one create, streamed from Postgres"),
        ("at the API", timeline.ended_at, "the batch was processed"),
        ("collect", timeline.collected_at, "noticed by the poll; results streamed into Postgres with their bill"),
        ("deliver", delivered_at, "one Celery message an item; the product wrote its CSV"),
    ):
        if at is not None:
            table.add_row(stage, spoken(max((at - before).total_seconds(), 0.0)), what)
            before = max(at, before)
    table.add_row("all of it", spoken((delivered_at - began_at).total_seconds()), "", style="bold")
    OUT.print(table)


def _show_bill(bill: Costs, paid: bool) -> None:
    from overnight_models.wire.outcome import dollars

    share = f" ({bill.saved_nano / bill.realtime_nano:.0%})" if bill.realtime_nano else ""
    lines = [
        f"{bill.answers:,} answers, {bill.input_tokens:,} tokens in, {bill.output_tokens:,} tokens out",
        f"batched        ${dollars(bill.cost_nano)}",
        f"in real time   ${dollars(bill.realtime_nano)}",
        f"saved          ${dollars(bill.saved_nano)}{share}",
    ]
    if bill.paid_twice:
        lines.append(f"paid twice     {bill.paid_twice:,} answers")
    title = "the bill" if paid else "the bill, had it been the real API"
    OUT.print(Panel("\n".join(lines), title=title, title_align="left", expand=False))
