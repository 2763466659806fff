"""What a product installs: the wheel, what it brings, and how long it takes to import beside Celery alone.

    python -m tests.benchmarks.product

It builds the wheel, installs it into an environment of its own, and imports it there: processor time, the best of nine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
UV: Final = str(Path(sys.executable).with_name("uv"))
_RUNS: Final = 9
_CELERY: Final = "from celery import Celery; app = Celery('shop', broker='redis://127.0.0.1:6379/0'); app.amqp"
_CODE: Final = "import time\n{first}\nbegan = time.process_time()\n{then}\nprint(time.process_time() - began)"
_SIZE: Final = """
import importlib.metadata as metadata
for each in sorted(metadata.distributions(), key=lambda each: each.name.lower()):
    size = sum(file.locate().stat().st_size for file in each.files or () if file.locate().exists())
    print(each.name, each.version, size)
"""


def run(*words: str) -> str:
    """What a command prints."""
    return subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def cost_s(python: str, first: str, then: str) -> float:
    """Seconds of the processor that the second takes after the first."""
    return min(float(run(python, "-c", _CODE.format(first=first, then=then))) for _ in range(_RUNS))


def main() -> None:
    """Build, install, import, print."""
    with tempfile.TemporaryDirectory() as place:
        run(UV, "build", "--quiet", "--wheel", "--out-dir", place)
        (wheel,) = Path(place).glob("*.whl")
        print(f"wheel: {wheel.stat().st_size / 1000:,.0f} kB")
        python = f"{place}/venv/bin/python"
        run(UV, "venv", "--quiet", "--python", sys.executable, f"{place}/venv")
        run(UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, str(wheel))
        packages = [line.split() for line in run(python, "-c", _SIZE).splitlines()]
        for name, version, size in packages:
            print(f"    {name} {version}: {int(size) / 1e6:,.1f} MB")
        total = sum(int(size) for _, _, size in packages)
        print(f"installed: {len(packages)} packages, {total / 1e6:,.0f} MB")
        print(f"import celery, with an app: {cost_s(python, '', _CELERY):.3f} s")
        for what in ("overnight_producers", "pydantic"):
            print(f"import {what}, after that: {cost_s(python, _CELERY, f'import {what}'):.3f} s")


if __name__ == "__main__":
    main()
