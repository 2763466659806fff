"""Whoever asks for a move looks whether it was made: no row updated means that somebody else was faster."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import overnight_models
import overnight_models.ledger
import overnight_workers

PACKAGES = [Path(package.__file__ or "").parent for package in (overnight_models, overnight_workers)]
LEDGER = Path(overnight_models.ledger.__file__).parent
BOTH_ARE_RIGHT = {
    "overnight_models.ledger.collect.collect.schedule_retry: execute": "it was incomplete before, or is another's",
    "overnight_models.ledger.collect.collect.finish: execute": "another reader was faster, or the batch is another's",
}
"""Where nothing follows from the answer, and why."""
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def module_of(source: Path) -> str:
    """The name under which a file is imported."""
    package = next(package for package in PACKAGES if source.is_relative_to(package))
    return ".".join(source.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")


def answering_functions() -> set[str]:
    """The functions of the ledger that say by a bool whether they changed what they were asked to change."""
    return {
        f"{module_of(source)}.{function.name}"
        for source in LEDGER.rglob("*.py")
        for function in ast.parse(source.read_text()).body
        if isinstance(function, FUNCTION) and isinstance(function.returns, ast.Name) and function.returns.id == "bool"
    }


def imported_names(tree: ast.Module) -> dict[str, str]:
    """What each imported name of a file stands for, wherever it is imported."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def called_function(call: ast.Call, module: str, names: dict[str, str]) -> str:
    """The full name of the function that is called; '' when it can't be told."""
    if isinstance(call.func, ast.Name):
        return names.get(call.func.id, f"{module}.{call.func.id}")
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        return f"{names.get(call.func.value.id, '')}.{call.func.attr}"
    return ""


def is_thrown_away(node: ast.AST) -> bool:
    """A statement that is only a call, or that gives its result to `_`."""
    if isinstance(node, ast.Assign):
        return isinstance(node.value, ast.Call) and any(isinstance(t, ast.Name) and t.id == "_" for t in node.targets)
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)


def is_a_guard(part: ast.AST) -> bool:
    """`BATCH.claim.where` and the like."""
    return isinstance(part, ast.Attribute) and part.attr == "where" and isinstance(part.value, ast.Attribute)


def thrown_away(source: Path, answering: set[str]) -> Iterator[str]:
    """Where a file ignores the answer of one of these functions, or how many rows a move changed."""
    tree = ast.parse(source.read_text())
    names, module = imported_names(tree), module_of(source)
    for function in ast.walk(tree):
        if isinstance(function, FUNCTION):
            for node in ast.walk(function):
                if is_thrown_away(node):
                    call = node.value  # type: ignore[attr-defined]
                    called = called_function(call, module, names)
                    is_a_move = any(is_a_guard(part) for part in ast.walk(call))
                    if called in answering or is_a_move:
                        yield f"{module}.{function.name}: {called.rpartition('.')[2]}"


def test_the_functions_that_answer_are_found() -> None:
    functions = answering_functions()
    assert "overnight_models.ledger.moves.move_batch" in functions
    assert "overnight_models.ledger.submit.submit.authorize_last_bytes" in functions
    assert len(functions) > 20


def test_no_answer_of_a_move_is_ignored() -> None:
    answering = answering_functions()
    sources = [source for package in PACKAGES for source in package.rglob("*.py")]
    ignored = {fault for source in sources for fault in thrown_away(source, answering)}
    assert ignored == set(BOTH_ARE_RIGHT)
