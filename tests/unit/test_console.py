"""What the commands print is what it was: keys and lanes are copied from the screen."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.table import Table

from overnight_workers.cli.console import ERR, OUT


@pytest.mark.parametrize("printer", [OUT, ERR], ids=["OUT", "ERR"])
def test_a_key_between_colons_is_no_emoji(printer: Console) -> None:
    table = Table(box=None, show_header=False)
    table.add_row("sku:100:blue")
    with printer.capture() as captured:
        printer.print("copy:star:7", markup=False)
        printer.print(table)
    assert captured.get().split() == ["copy:star:7", "sku:100:blue"]
