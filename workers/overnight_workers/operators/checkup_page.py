"""The check-up as it is printed, and the short way to it: without the command line's packages, which take longer."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import orjson

from overnight_models.errors import PermanentError
from overnight_workers.operators import checkup
from overnight_workers.operators.findings import FAULT, NOTE, OK, UNKNOWN, Finding

_MARKS: Final = {
    OK: ("ok   ", "\033[32m"),
    NOTE: ("note ", "\033[33m"),
    FAULT: ("FAULT", "\033[1;31m"),
    UNKNOWN: ("?    ", "\033[1;33m"),
}


def report(findings: Sequence[Finding], *, as_json: bool) -> int:
    """Print it; the exit code."""
    code = checkup.exit_code(findings)
    if as_json:
        document: dict[str, object] = {
            "ok": code == 0,
            "exit": code,
            "findings": [{**asdict(finding), "ok": finding.state in (OK, NOTE)} for finding in findings],
        }
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())
        return code
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for finding in findings:
        mark, colour = _MARKS[finding.state]
        print(f"{colour}{mark}\033[0m" if coloured else mark, f"{finding.check}: {finding.found}")
        if finding.state != OK and finding.do:
            print(f"      → {finding.do}")
    return code


def main(command: str, words: Sequence[str]) -> int | None:
    """`overnight doctor` or `overnight health`; the exit code. None: these words are for the whole command line."""
    as_json = "--json" in words
    rest = [word for word in words if word != "--json"]
    if command == "doctor":
        return None if rest else report(checkup.doctor(), as_json=as_json)
    queues = []
    while rest:
        word = rest.pop(0)
        if word == "--queue" and rest:
            queues.append(rest.pop(0))
        elif word.startswith("--queue="):
            queues.append(word.removeprefix("--queue="))
        else:
            return None
    try:
        return report(checkup.health(queues), as_json=as_json) if queues else None
    except PermanentError as error:
        print(f"overnight: {error}", file=sys.stderr)
        return 1
