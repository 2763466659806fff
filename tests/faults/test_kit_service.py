"""The test kit's session fixture: the README's test from end to end, with everything embedded."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[2]
MORE = """

def test_the_clock_of_the_sandbox_can_be_moved(overnight_service):
    overnight_service.advance("25h")
    assert overnight_service.data_dir.is_dir()
"""


def test_the_readmes_test_from_end_to_end(tmp_path: Path) -> None:
    for block in re.findall(r"```py\n(.*?)```", (ROOT / "producers" / "README.md").read_text(), re.DOTALL):
        (tmp_path / block.partition("\n")[0].removeprefix("# ")).write_text(block)
    tests = tmp_path / "test_shop_from_end_to_end.py"
    tests.write_text(tests.read_text() + MORE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", tests.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
