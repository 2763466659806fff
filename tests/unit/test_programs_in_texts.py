"""Programs that stand as texts in tests, and run in processes of their own: what they import is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
IMPORT = re.compile(r"^ *from (overnight_(?:workers|models|producers)[\w.]*) import (\w+)", re.MULTILINE)


def imports() -> Iterator[tuple[str, str, str]]:
    """The file, the module and the first name of each import in a text of several lines."""
    for path in sorted(TESTS.rglob("*.py")):
        if "overnight_" not in (source := path.read_text()):
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for module, name in IMPORT.findall(node.value):
                    yield str(path.relative_to(TESTS)), module, name


def test_what_they_import_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERNIGHT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    monkeypatch.setenv("OVERNIGHT_REDIS_URL", "redis://127.0.0.1:1/0")
    imported = list(imports())
    assert len(imported) > 30
    missing = [
        f"{path}: {module}.{name}"
        for path, module, name in imported
        if find_spec(module) is None or not (hasattr(import_module(module), name) or find_spec(f"{module}.{name}"))
    ]
    assert missing == []
