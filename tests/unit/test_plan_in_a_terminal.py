"""The plan of a catalog in a terminal of 80 columns: each reason's numbers on one line, whole."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from overnight_workers.cli.run_pages import plan_table


def reason(words: str, rows: int, usd: str, low: str, high: str, how: str) -> dict[str, Any]:
    return {"words": words, "rows": rows, "usd": usd, "low_usd": low, "high_usd": high, "how": how}


NEW = reason("new", 12_003, "37.22831", "30.1", "44.998321", "learned")
PROMPT = reason("prompt changed", 398_800, "12246.97504", "10071.9032", "14489", "assumed")
ASKED = reason("asked before: tried, compared, or by a stopped run", 1_200, "0", "0", "0", "counted")


def printed(*reasons: dict[str, Any]) -> list[str]:
    plan = {
        **reason("", 0, "12284.203350000", "10102.0032", "14533.998321", "assumed"),
        "rows": 500_000,
        "send": 412_003,
        "reasons": dict(enumerate(reasons)),
        "left": {"unchanged": {"words": "unchanged", "rows": 87_954}},
    }
    console = Console(width=80, file=StringIO())
    console.print(plan_table(plan))
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_each_reason_has_its_numbers_on_one_line() -> None:
    lines = [" ".join(line.split()) for line in printed(NEW, PROMPT, ASKED)]
    assert "new 12,003 $37.23 $30.10 and $45.00 learned" in lines
    assert "prompt changed 398,800 $12,246.98 $10,071.90 and $14,489.00 assumed" in lines
    assert any(line.endswith("1,200 $0.00 $0.00 and $0.00 counted") for line in lines)
    assert "together 412,003 $12,284.20 $10,102.00 and $14,534.00 assumed" in lines


def test_lines_below_say_how_each_number_is_known_once() -> None:
    lines = printed(NEW, NEW, PROMPT)
    assert [line for line in lines if line.startswith(("learned: ", "assumed: "))] == [
        "assumed: from bytes, or a share of max_tokens",
        "learned: what earlier answers cost",
    ]


def test_small_amounts_keep_their_first_digits() -> None:
    lines = printed(reason("new", 3, "0.00000825", "0.00000401", "0.0262", "sampled"))
    assert any(line.endswith("$0.000008  $0.000004 and $0.0262  sampled") for line in lines)
    assert not any(line.startswith("together") for line in lines), "there is one reason alone"
