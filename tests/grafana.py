"""The shipped dashboard beside what Grafana publishes of its format: `make grafana`. Needs npm, and node.

    python -m tests.grafana

Grafana itself isn't started: its own types (`@grafana/schema`) are asked by the compiler of TypeScript whether each
field of the dashboard, of its panels and of their options is known and has a value that it may have.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from overnight_workers.operators import dashboard

_TYPES: Final = Path(__file__).with_name("contract") / "grafana.ts"
_OPTIONS: Final = [
    "--noEmit",
    "--strict",
    "--skipLibCheck",
    "--moduleResolution",
    "bundler",
    "--module",
    "esnext",
    "--target",
    "es2022",
]


def main() -> int:
    """Ask the compiler; 0 when it finds nothing."""
    with tempfile.TemporaryDirectory(prefix="overnight-grafana-") as directory:
        subprocess.run(
            ["npm", "install", "--silent", "--prefix", directory, "@grafana/schema", "typescript"], check=True
        )
        board = Path(directory) / "board.ts"
        board.write_text(_TYPES.read_text().replace("= BOARD;", f"= {dashboard.FILE.read_text()};"))
        compiler = Path(directory) / "node_modules" / ".bin" / "tsc"
        return subprocess.run([compiler, *_OPTIONS, board.name], cwd=directory, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
