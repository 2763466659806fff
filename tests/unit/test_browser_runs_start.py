"""What looks at pages in Chromium starts by itself: whoever looks has no service, and none of its settings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("module", ["tests.accessibility", "tests.drill.questions"])
def test_a_run_in_the_browser_starts_where_nothing_of_a_service_is_known(module: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OVERNIGHT_")}
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        env=environment | {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
