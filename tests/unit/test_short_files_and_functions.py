"""Files and functions stay so short that a reader sees them whole."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("models", "producers", "workers", "tests")
    for path in (ROOT / folder).rglob("*.py")
    if path.parent.name != "versions"  # a migration is written once, as the tables were then
)

MOST_LINES_OF_A_FILE = 400
LONGER_FILES = {
    "tests/contract/test_sandbox_faults.py": "every fault; the last test knows whether each was tried",
}
"""Files that are longer, and why."""

MOST_LINES_OF_A_FUNCTION = 40
"""Without its signature and docstring."""
LONGER_FUNCTIONS = {
    "tests/contract/test_published_schemas.py: test_what_python_asks_and_is_answered_is_of_the_schemas": "all of it",
    "tests/explore/submitting.py: _goes_on": "every step of a submitter, in the order of the protocol",
    "tests/stages/ledger/asking_catalogs.py: ask_catalogs": "one call of each function",
    "tests/stages/ledger/asking_operators.py: ask_operators": "one call of each function",
}
"""Functions that are longer, and why."""


def lines_of_files() -> dict[str, int]:
    """How many lines each file has."""
    return {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in SOURCES}


def lines_of_functions() -> Iterator[tuple[str, int]]:
    """How many lines each function has."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
                yield f"{path.relative_to(ROOT)}: {node.name}", (node.end_lineno or 0) - body[0].lineno + 1


def test_only_named_files_are_longer_than_400_lines() -> None:
    longer = {file for file, lines in lines_of_files().items() if lines > MOST_LINES_OF_A_FILE}
    assert longer - LONGER_FILES.keys() == set(), "divide them by subject"
    assert longer.issuperset(LONGER_FILES), f"{LONGER_FILES.keys() - longer} are shorter now: strike them"


def test_only_named_functions_are_longer_than_40_lines() -> None:
    longer = {function for function, lines in lines_of_functions() if lines > MOST_LINES_OF_A_FUNCTION}
    assert longer - LONGER_FUNCTIONS.keys() == set(), "cut them at one level of abstraction"
    assert longer.issuperset(LONGER_FUNCTIONS), f"{LONGER_FUNCTIONS.keys() - longer} are shorter now: strike them"
