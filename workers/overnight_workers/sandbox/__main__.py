"""`python -m overnight_workers.sandbox`: the same as `overnight sandbox`."""

import typer

from overnight_workers.sandbox.command import sandbox

if __name__ == "__main__":
    typer.run(sandbox)
