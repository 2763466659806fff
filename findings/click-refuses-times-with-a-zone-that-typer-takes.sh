#!/usr/bin/env bash
set -euo pipefail
# Behaviour: click's DateTime refuses 2026-12-01T00:00:00Z and +01:00: its three default formats have no zone; typer's option of a datetime, which is made with click, takes both.
# Expected: ISO 8601, as its metavar [%Y-%m-%dT%H:%M:%S] suggests; one rule in both.
# Source: click's documentation of DateTime: formats
# Here: workers/overnight_workers/cli/moment.py: reads the times of options

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check click==8.5.1 typer==0.29.2 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import datetime as dt, sys
from importlib.metadata import version

import click, typer
from typer.testing import CliRunner

taken = []
app = typer.Typer()


@app.command()
def since(at: dt.datetime):
    taken.append(at)


print(f"click {version('click')}, typer {version('typer')}")
seen = []
for text in ("2026-12-01T00:00:00", "2026-12-01T00:00:00Z", "2026-12-01T00:00:00+01:00"):
    try:
        by_click = str(click.DateTime().convert(text, None, None))
    except click.BadParameter:
        by_click = "refused"
    taken.clear()
    CliRunner().invoke(app, [text])
    by_typer = repr(taken[0].utcoffset()) if taken else "refused"
    seen.append((by_click != "refused", bool(taken)))
    print(f"{text}: click {by_click}; typer, offset {by_typer}")
print("So a time that one command of a company prints is refused by its other one.")
sys.exit(0 if seen == [(True, True), (False, True), (False, True)] else 1)
PYTHON
