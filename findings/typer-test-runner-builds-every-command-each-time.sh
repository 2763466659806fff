#!/usr/bin/env bash
set -euo pipefail
# Behaviour: typer.testing.CliRunner.invoke builds all commands of an app anew at each call: with forty commands that is most of what a call costs.
# Expected: once for an app, as a click group is built once when its module is imported.
# Source: typer/testing.py: invoke calls get_command(app), which makes the whole tree
# Here: tests/conftest.py: the tree of an app is made once for a session

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check typer==0.29.2 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import functools, sys, time
from importlib.metadata import version

import typer
import typer.testing

print(f"typer {version('typer')}")

def app_of(commands: int) -> typer.Typer:
    app = typer.Typer()
    for number in range(commands):

        def command(name: str = "a", count: int = 1, loud: bool = False, where: str = typer.Option("here", help="Where.")) -> None:
            """Do it."""

        app.command(f"command-{number}")(command)
    return app


def ms(app: typer.Typer) -> float:
    runner = typer.testing.CliRunner()
    began = time.process_time()
    for _ in range(20):
        assert runner.invoke(app, ["command-0"]).exit_code == 0
    return (time.process_time() - began) * 50


few, many = app_of(2), app_of(40)
ms(few)  # what is imported at the first call isn't meant
plain = {"2 commands": ms(few), "40 commands": ms(many)}
typer.testing._get_command = functools.cache(typer.testing._get_command)
ms(many)
kept = ms(many)
for name, took in plain.items():
    print(f"an app of {name}: {took:.1f} ms of a processor a call")
print(f"an app of 40 commands, its tree kept: {kept:.1f} ms")
print("So a test of one command pays for all that there are, and each new command makes every test slower.")
sys.exit(0 if plain["40 commands"] > 2 * plain["2 commands"] and kept < plain["40 commands"] / 4 else 1)
PYTHON
