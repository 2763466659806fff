"""`pip install 'overnight[workers]'` has no catalogs: each command of catalogs says what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import sys

NAMES = {"charset_normalizer", "cronsim", "duckdb", "fsspec", "jinja2", "numpy", "python_calamine", "scipy"}

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in NAMES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
sys.argv = ["overnight", *sys.argv[1:]]
from overnight_workers.command import main
main()
"""
CATALOG = """
key = "sku"
model = "claude-haiku-5-5"
max_tokens = 10
source.path = "shop.csv"
prompt.row = "Describe {{ name }}"
sink.path = "out.csv"
schedule = "0 22 * * *"
time_zone = "Europe/Berlin"
"""


@pytest.mark.parametrize(
    "words",
    [
        "enrich shop.toml",
        "catalog new shop.csv",
        "catalog show shop.toml",
        "catalog try shop.toml",
        "compare shop.toml --models claude-haiku-5-5,claude-sonnet-5",
        "schedules keep shop.toml",
    ],
)
def test_each_command_of_catalogs_says_what_to_install(tmp_path: Path, words: str) -> None:
    (tmp_path / "shop.toml").write_text(CATALOG)
    (tmp_path / "shop.csv").write_text("sku,name\nA,Kettle\n")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *words.split()], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'overnight[catalogs]'" in " ".join(done.stderr.split()), done.stderr[-2000:]
    assert "Traceback" not in done.stderr
