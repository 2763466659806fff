"""A first night: every row of a catalog through the sandbox and into its sink, beside `overnight enqueue --wait`.

    python -m tests.benchmarks.first_night --rows 500000 [--rounds 1] [--profile FILE]

Both hand over the same requests to the same installation and end when the last of them has its outcome. `overnight
enrich` reads, hashes and renders the rows, sends a pilot first, and writes the sink and its report too. Before that
both take a few rows: what these need is fixed, and the last line is without it. Rows are made of the airports of the
package airportsdata.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from overnight_models import exact_json
from tests.benchmarks.catalog import write_rows
from tests.benchmarks.service import Service, running

CONFIG: Final = """
[lanes.default]
max_items = 25000
max_wait = "1s"

[workspaces.default]
queue_limit = 1000000

[timing]
poll_every = "500ms"
sweep_every = "500ms"
"""
_CATALOG: Final = """
key = "id"
model = "claude-haiku-5-5"
max_tokens = 200

[source]
path = "rows.csv"

[prompt]
row = "Describe {{{{ name }}}} in {{{{ city or 'no city' }}}}, {{{{ country }}}} at {{{{ lat }}}}, {{{{ lon }}}}{more}"

[sink]
path = "described-{number}.parquet"
"""
_SHOWN_S: Final = 0.1
_FEW: Final = 300
"""Rows of a night that has a pilot and hardly more."""
out = Console(width=150)


def main(
    rows: Annotated[int, typer.Option(help="How many.")] = 500_000,
    rounds: Annotated[int, typer.Option(help="How often; the least counts.")] = 1,
    profile: Annotated[Path | None, typer.Option(help="Where cProfile puts a profile of `enrich`.")] = None,
) -> None:
    """Measure both, in turns."""
    table = Table("what", "clock", "own processor", "all processors", "memory", "beside")
    least: dict[str, tuple[float, ...]] = {}
    with running(CONFIG) as service:
        directories = {count: service.home / str(count) for count in (_FEW, rows)}
        for count, directory in directories.items():
            directory.mkdir()
            write_rows(directory, count)
        few = _turn(service, directories[_FEW], rounds, None)
        for number in range(rounds):
            for what, figures in _turn(service, directories[rows], number, profile).items():
                least[what] = min(least.get(what, figures), figures)
    for what, (clock, own, all_, memory) in least.items():
        share = clock / least["enqueue --wait"][0]
        table.add_row(what, f"{clock:.1f} s", f"{own:.1f} s", f"{all_:.1f} s", f"{memory:.0f} MB", f"{share:.2f}")
    out.print(table)
    clock, all_ = (
        (least["enrich"][figure] - few["enrich"][figure])
        / (least["enqueue --wait"][figure] - few["enqueue --wait"][figure])
        for figure in (0, 2)
    )
    out.print(f"without what {_FEW} rows take: {clock:.2f} by the clock, {all_:.2f} by all processors")


def _turn(service: Service, directory: Path, number: int, profile: Path | None) -> dict[str, tuple[float, ...]]:
    """Both commands, one after the other, with the rows of a directory."""
    file = _declare(directory, number)
    requests = _requests(directory, file, number)
    enqueued = _measured(
        service, ["enqueue", str(requests), "--run", f"of-{directory.name}-{number}", "--wait", "--json"]
    )
    enriched = _measured(service, ["enrich", str(file), "--yes", "--json"], profile)
    out.print(_steps(file))
    return {"enqueue --wait": enqueued, "enrich": enriched}


def _declare(directory: Path, number: int) -> Path:
    """The catalog of one round of some rows; it is of these alone, so that nothing of them is known."""
    file = directory / f"night-of-{directory.name}-{number}.toml"
    file.write_text(_CATALOG.format(number=number, more="." * number))
    return file


def _requests(directory: Path, file: Path, number: int) -> Path:
    """What the catalog sends, as a file for `overnight enqueue`; under keys that nobody has used."""
    from overnight_workers.catalogs.opened import opened
    from overnight_workers.catalogs.reading import read_catalog
    from overnight_workers.catalogs.recipe import recipe_of

    catalog = read_catalog(file)
    recipe = recipe_of(catalog)
    path = directory / f"requests-{number}.jsonl"
    with opened(catalog, recipe) as source, path.open("wb") as lines:
        source.connection.execute(f"CREATE TABLE every AS SELECT {source.rows.hash} AS n, 0 AS beside FROM source")
        for row in source.rows.read(source.connection, "SELECT n, beside FROM every"):
            request = recipe.request(row.cells, row.variant)
            line = {"key": f"{file.stem}/{row.entry.hex()}", "params": request.params, "trace_id": row.key_text}
            lines.write(exact_json.dumps(line) + b"\n")
    return path


def _measured(service: Service, arguments: list[str], profile: Path | None = None) -> tuple[float, ...]:
    """Seconds of the clock, of its own processor and of everybody's, and MB, of one command."""
    recorder = [] if profile is None else [sys.executable, "-m", "cProfile", "-o", str(profile)]
    overnight = str(Path(sys.executable).with_name("overnight"))
    before = service.cpu_seconds()
    began = time.monotonic()
    with (service.home / "said").open("w+b") as said:
        command = subprocess.Popen([*recorder, overnight, *arguments], stdout=said)
        _, status, spent = os.wait4(command.pid, 0)
        clock = time.monotonic() - began
        command.returncode = os.waitstatus_to_exitcode(status)
        if command.returncode != 0:
            said.seek(0)
            raise SystemExit(f"{arguments[0]} failed: {said.read()[-2000:].decode()}")
    own = spent.ru_utime + spent.ru_stime
    others = {name: seconds - before.get(name, 0.0) for name, seconds in service.cpu_seconds().items()}
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in others.items() if seconds >= _SHOWN_S)
    out.print(f"{arguments[0]}: processors of {parts}")
    return clock, own, sum(others.values()) + own, spent.ru_maxrss / 1024


def _steps(file: Path) -> str:
    """How long each step of the last round's run took."""
    report = orjson.loads(file.with_suffix(".report.json").read_bytes())
    return "enrich: " + ", ".join(f"{step['state']} {step['seconds']:.1f} s" for step in report["steps"])


if __name__ == "__main__":
    typer.run(main)
