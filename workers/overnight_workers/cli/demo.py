"""`overnight demo`: the whole system at work on a real catalog, from an empty directory to a bill."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from overnight_models.embedded_urls import default_data_dir, made
from overnight_models.quantities import spoken
from overnight_workers.cli.console import OUT, interruptible, money, say

if TYPE_CHECKING:
    from overnight_models.ledger.catalogs.runs import Run
    from overnight_workers.catalogs.declaration import Catalog

_CONFIG: Final = """\
[lanes.default]
max_wait = "1s"

[timing]
poll_every = "{poll_every}"
sweep_every = "1s"
"""
_STEPS: Final = {
    "planned": "the source was read once; nothing was known, so each row is new; some were priced",
    "pilot": "200 rows went ahead, came back, and were found good",
    "sending": "the other rows: packed, submitted, answered, collected",
    "retrying": "what came back invalid or cut off was asked again",
    "publishing": "answers into the Parquet file, written aside and put in place; what was sent is remembered",
}


def demo(
    rows: Annotated[int, typer.Option(min=1, max=7000, help="How many airports.")] = 1000,
    turnaround: Annotated[str, typer.Option(help="How long the sandbox's batches take.")] = "3s",
    keep: Annotated[bool, typer.Option("--keep", help="Stay up at the end, to look around in Flower.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where it works. [default: `demo` in the user's own]")] = None,
) -> None:
    """Enrich 1,000 airports by a catalog of ten lines: a pilot, the rest, a Parquet file, a report and a bill.

    Starts everything it needs and stops it at the end (Ctrl-C does too). Without ANTHROPIC_API_KEY, or without a
    terminal to say yes at, the answers are made up by the sandbox and nothing is spent.
    """
    from overnight_workers.demo import airports
    from overnight_workers.one_machine.installation import Installation
    from overnight_workers.one_machine.supervisor import Supervisor

    paid = _wants_to_pay(rows)
    home = made(data_dir or default_data_dir() / ("demo-paid" if paid else "demo"))
    with interruptible(), Supervisor(home, say=say) as supervisor:
        if not paid:
            _clear(home)
        (home / "overnight.toml").write_text(_CONFIG.format(poll_every="10s" if paid else "1s"))
        os.environ["OVERNIGHT_CONFIG"] = str(home / "overnight.toml")
        file = airports.write(home / "catalogs", rows)
        installation = Installation(home, sandbox=not paid, sandbox_options=["--turnaround", turnaround], say=say)
        began = time.monotonic()
        installation.start(supervisor)
        say(f"everything answers after {spoken(time.monotonic() - began)}; Flower: {installation.urls['flower_url']}")
        _run(file, paid)
        if keep:
            say(f"still running; Flower is at {installation.urls['flower_url']}, Ctrl-C stops everything")
            supervisor.run_forever()
    say("everything is stopped")


def _wants_to_pay(rows: int) -> bool:
    """Whether the real API is to be used: only with a key, at a terminal, after the price was shown."""
    from overnight_models.money import prices
    from overnight_workers.demo import airports

    if not os.environ.get("ANTHROPIC_API_KEY"):
        say("No ANTHROPIC_API_KEY: the API is played by the sandbox. Its answers are made up, and nothing is spent.")
        return False
    if not sys.stdin.isatty():
        say("No terminal to say yes at: the API is played by the sandbox. Its answers are made up, nothing is spent.")
        return False
    model = prices.load().model(airports.MODEL)
    assert model is not None
    # about 400 tokens of schema, instructions and airport, and 80 of answer; at most all of max_tokens
    expected, highest = (
        prices.cost(model, prices.Usage(input_tokens=400, output_tokens=out), batch=True) * rows
        for out in (80, airports.MAX_TOKENS)
    )
    say(f"{rows:,} requests to {airports.MODEL}, batched: about {money(expected)}, at most {money(highest)}.")
    return typer.confirm("Use the real API?", default=False)


def _clear(home: Path) -> None:
    """A demo begins with nothing; what an earlier one left is removed, but not under a running supervisor's feet."""
    for name in ("postgres", "redis", "sandbox", "catalogs", "beat-schedule", "urls.json"):
        path = home / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _run(file: Path, paid: bool) -> None:
    from overnight_models.errors import PermanentError
    from overnight_workers.catalogs.reading import read_catalog
    from overnight_workers.catalogs.report import document
    from overnight_workers.catalogs.runs.beginning import begin
    from overnight_workers.catalogs.runs.taken import Wish

    catalog = read_catalog(file)
    title = str(file.relative_to(file.parents[1]))
    OUT.print(
        Panel(Syntax(catalog.text.rstrip(), "toml", word_wrap=True), title=title, title_align="left", expand=False)
    )
    run = _taken_to_its_end(begin(catalog, Wish(approved=True)))
    report = document.kept(run)
    if report is None:
        raise PermanentError(f"run {run.name} is {run.state}: {run.reason}")
    if report["state"] != "stopped":
        _show_rows(catalog, paid)
    _show_steps(report)
    _show_bill(report, paid)
    assert catalog.sink is not None, "it stands in the file"
    OUT.print(f"\n{report['counts']['items']:,} rows: {catalog.directory / (catalog.sink.path or '')}", style="bold")
    OUT.print(f"report: {catalog.directory / catalog.name}.report.html", style="bold")


def _taken_to_its_end(run: Run) -> Run:
    """Take the run's steps as `overnight enrich` does."""
    from overnight_workers.catalogs.runs import advancing
    from overnight_workers.cli.run_pages import progress_of

    with progress_of(run) as shown:
        while not (run := advancing.read(run.id)).is_over:
            taken = advancing.take(run.id, advancing.own_name("the demo"), shown.rows)
            if taken is None:  # the workers were sooner
                shown.watch(run)
                time.sleep(0.5)  # another process has the run: it is looked at from here
                continue
            step = advancing.advance(taken)
            shown.step(taken.run, step)
            if step.wait_s:
                time.sleep(step.wait_s)
    return run


def _show_rows(catalog: Catalog, paid: bool) -> None:
    import duckdb

    assert catalog.sink is not None, "it stands in the file"
    title = "some of the rows" if paid else "some of the rows (answers made up by the sandbox)"
    table = Table(title=title, title_justify="left", header_style="bold", expand=True)
    for column, ratio in (("iata", 1), ("category", 2), ("description", 9)):
        table.add_column(column, ratio=ratio, no_wrap=column != "description")
    relation = duckdb.read_parquet(str(catalog.directory / (catalog.sink.path or "")))
    rows = relation.project("iata, category, description").fetchall()
    for row in rows[:: max(len(rows) // 6, 1)][:6]:
        table.add_row(*(Text(str(cell)) for cell in row))
    OUT.print(table)


def _show_steps(report: dict[str, Any]) -> None:
    table = Table(title="where the time went", title_justify="left", header_style="bold")
    table.add_column("step")
    table.add_column("took", justify="right")
    table.add_column("what it did")
    for step in report["steps"]:
        table.add_row(step["state"], spoken(step["seconds"]), _STEPS.get(step["state"], ""))
    table.add_row("all of it", spoken(report["seconds"]), f"{report['stages']['batches']} batches", style="bold")
    OUT.print(table)


def _show_bill(report: dict[str, Any], paid: bool) -> None:
    bill = report["bill"]
    lines = [
        f"{bill['answers']:,} answers, {bill['input_tokens']:,} tokens in, {bill['output_tokens']:,} tokens out",
        f"planned        ${report['plan_beside_bill']['usd']}",
        f"batched        ${bill['usd']}",
        f"in real time   ${bill['realtime_usd']}",
        f"saved          ${bill['saved_usd']} ({bill['saved_share']:.0%})",
    ]
    if bill["paid_twice"]:
        lines.append(f"paid twice     {bill['paid_twice']:,} answers")
    title = "the bill" if paid else "the bill, had it been the real API"
    OUT.print(Panel("\n".join(lines), title=title, title_align="left", expand=False))
