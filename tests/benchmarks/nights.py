"""Four nights of one catalog by the commands that people type, and a prompt that is bad.

    python -m tests.benchmarks.nights --rows 20000

First night; second with 1% of the rows changed; third with an edited prompt, which asks and is approved; fourth with a
changed schema, which asks and is approved. Then a catalog of which 30% of the answers are invalid: its pilot stops it.
Each night: rows sent and why, what was planned and billed, the clock, the most memory of `enrich` and of the worker
that goes on after an approval. The API's own meter has to say the same as the reports. Rows are made of the airports
of the package airportsdata.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import httpx2
import orjson
import typer
from rich.console import Console
from rich.table import Table

from tests.benchmarks.catalog import write_rows
from tests.benchmarks.first_night import CONFIG
from tests.benchmarks.service import Service, running

_CATALOG: Final = """
key = "id"
model = "claude-haiku-5-5"
max_tokens = 200

[source]
path = "rows.csv"

[prompt]
row = "{prompt} {{{{ name }}}} in {{{{ city or 'no city' }}}}, {{{{ country }}}}"

[output]
schema_file = "answer.json"

[sink]
path = "{name}.parquet"
"""
_SCHEMA: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["text", "stars"],
    "properties": {"text": {"type": "string"}, "stars": {"type": "integer"}},
}
_CHANGED: Final = 0.01
_INVALID: Final = 0.3
_COMMAND: Final = str(Path(sys.executable).with_name("overnight"))
out = Console(width=170)


@dataclass(frozen=True)
class Command:
    """What a command said, and what it took."""

    said: dict[str, Any]
    seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Night:
    """One run, from its first command to its end."""

    what: str
    report: Mapping[str, Any]
    asked: str | None
    seconds: float
    peak_mb: float
    requests: int
    """That the API has accepted."""
    nano: int
    """That it billed."""


def main(rows: Annotated[int, typer.Option(help="How many.")] = 20_000) -> None:
    """Play them, and print the table."""
    with running(CONFIG) as service:
        directory = service.home / "catalogs"
        directory.mkdir()
        write_rows(directory, rows)
        _declare(directory, "shop", "Describe", _SCHEMA)
        nights = [_night(service, directory, "shop", "first night")]
        _change_rows(directory / "rows.csv")
        nights.append(_night(service, directory, "shop", f"{_CHANGED:.0%} of the rows changed"))
        _declare(directory, "shop", "Describe, for a child,", _SCHEMA)
        nights.append(_night(service, directory, "shop", "edited prompt"))
        _declare(directory, "shop", "Describe, for a child,", _SCHEMA | {"description": "Stars are from 1 to 5."})
        nights.append(_night(service, directory, "shop", "changed schema"))
        _declare(directory, "bad", "Say anything about", _SCHEMA)
        fault = {"at": "item", "do": "invalid_output", "rate": _INVALID}
        httpx2.post(f"{service.sandbox_url}/sandbox/faults", json=[fault]).raise_for_status()
        nights.append(_night(service, directory, "bad", f"{_INVALID:.0%} of the answers invalid"))
    out.print(_table(nights))
    for night in nights:
        billed = int(Decimal(night.report["bill"]["usd"]) * 10**9)
        assert (night.requests, night.nano) == (night.report["bill"]["answers"], billed), night


def _declare(directory: Path, name: str, prompt: str, schema: Mapping[str, Any]) -> None:
    (directory / "answer.json").write_text(json.dumps(schema))
    (directory / f"{name}.toml").write_text(_CATALOG.format(prompt=prompt, name=name))


def _change_rows(file: Path) -> None:
    """Another name in every hundredth row."""
    with file.open(newline="") as source:
        header, *rows = list(csv.reader(source))
    every = round(1 / _CHANGED)
    with file.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(header)
        for number, (key, name, *others) in enumerate(rows):
            writer.writerow([key, f"New {name}" if number % every == 0 else name, *others])


def _night(service: Service, directory: Path, name: str, what: str) -> Night:
    """One run. Where it asks, nothing was sent; it is approved, and goes on."""
    before = _metered(service)
    commands = [_run("enrich", str(directory / f"{name}.toml"), "--json")]
    run = commands[0].said
    asked = None
    if run["state"] == "asking":
        asked = run["reason"]
        assert _metered(service) == before, "nothing is sent before somebody has said so"
        subprocess.run([_COMMAND, "runs", "approve", run["run"]], check=True, stdout=subprocess.DEVNULL)
        commands.append(_run("enrich", str(directory / f"{name}.toml"), "--json"))
    report = orjson.loads((directory / f"{name}.report.json").read_bytes())
    requests, nano = (now - then for now, then in zip(_metered(service), before, strict=True))
    worker = service.peak_rss_mb().get("catalogs", 0)
    peak = max([*(command.peak_mb for command in commands), worker])
    return Night(what, report, asked, sum(command.seconds for command in commands), peak, requests, nano)


def _run(*arguments: str) -> Command:
    began = time.monotonic()
    command = subprocess.Popen([_COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert command.stdout is not None
    said = command.stdout.read()
    _, status, spent = os.wait4(command.pid, 0)
    command.returncode = os.waitstatus_to_exitcode(status)
    assert said, f"{arguments} said nothing, and ended with {command.returncode}"
    return Command(orjson.loads(said), time.monotonic() - began, spent.ru_maxrss / 1024)


def _metered(service: Service) -> tuple[int, int]:
    """Requests that the API has accepted, and nano-dollars that it billed."""
    spaces = httpx2.get(f"{service.sandbox_url}/sandbox/meter").json()["workspaces"].values()
    requests = sum(space["requests_accepted"] for space in spaces)
    return requests, sum(row["nanodollars"] for space in spaces for row in space.get("bill", ()))


def _table(nights: list[Night]) -> Table:
    table = Table()
    for title in ("night", "sent, and why", "planned", "billed", "time", "memory", "what became of it"):
        table.add_column(title, justify="right" if title in ("planned", "billed", "time", "memory") else "left")
    for night in nights:
        report = night.report
        why = ", ".join(f"{reason['rows']:,} {reason['words']}" for reason in report["reasons"])
        ended = f"asked first ({night.asked}); approved: {report['state']}" if night.asked else report["state"]
        table.add_row(
            night.what,
            f"{night.requests:,} of {report['rows']:,}: {why}",
            f"${Decimal(report['plan_beside_bill']['usd']):.4f}",
            f"${Decimal(report['bill']['usd']):.4f}",
            f"{night.seconds:.1f} s",
            f"{night.peak_mb:.0f} MB",
            f"{ended}: {report['reason']}" if report["reason"] else ended,
        )
    return table


if __name__ == "__main__":
    typer.run(main)
