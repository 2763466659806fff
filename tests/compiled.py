"""All modules compiled, tests as pytest does it, on all processors: each of several pytests would compile all of them.

python -m tests.compiled
"""

from __future__ import annotations

import compileall
import os
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from _pytest.assertion import rewrite

TESTS = Path(__file__).parent
OTHERS = ("models", "producers", "workers", "tests")
PYTESTS = re.compile(r"/(test_\w+|conftest)\.py$")


def compile_one(path: Path) -> bool:
    """Keep it beside its source, where pytest looks for it; False: it was there already."""
    directory = rewrite.get_cache_dir(path)
    kept = directory / f"{path.stem}{rewrite.PYC_TAIL}"
    if rewrite._read_pyc(path, kept) is not None:
        return False
    # pytest's own settings change nothing of it here, and its state is only told of errors
    nothing: Any = None
    source_hash, code = rewrite._rewrite_test(path, nothing)
    directory.mkdir(parents=True, exist_ok=True)
    rewrite._write_pyc(nothing, code, source_hash, kept)
    return True


def main() -> int:
    """Compile what isn't."""
    paths = sorted(path for name in ("test_*.py", "conftest.py") for path in TESTS.rglob(name))
    for folder in OTHERS:
        compileall.compile_dir(TESTS.parent / folder, rx=PYTESTS, quiet=1, workers=0)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        sys.stdout.write(f"{sum(pool.map(compile_one, paths, chunksize=8))} test modules compiled\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
