"""Types say what a value is: `Any` is only where libraries without types and the JSON of others begin."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = sorted(path for folder in ("models", "producers", "workers") for path in (ROOT / folder).rglob("*.py"))

MOST_LINES_WITH_ANY = 112
"""A row is a NamedTuple or a dataclass, a document a TypedDict or a `Mapping[str, object]`, and a value that is only
handed on an `object`."""


def lines_with_any(path: Path) -> set[int]:
    """The lines of a file on which `Any` stands for a type."""
    return {
        node.lineno for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name) and node.id == "Any"
    }


def test_any_is_rare() -> None:
    by_file = {str(path.relative_to(ROOT)): len(lines_with_any(path)) for path in PRODUCT}
    most_first = sorted(((n, name) for name, n in by_file.items() if n), reverse=True)
    assert sum(by_file.values()) <= MOST_LINES_WITH_ANY, f"give them types of their own: {most_first[:10]}"
