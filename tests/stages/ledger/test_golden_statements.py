"""Each statement that the ledger executes stands whole in `tests/golden`, to be read and explained by a person.

After a statement was changed: `pytest tests/stages/ledger/test_golden_statements.py --write-golden`, and look at what
changed in the files.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.driving import Service
from tests.stages.ledger.asking_everything import ask_everything
from tests.stages.ledger.recording import Recorded, asking_functions, recording

GOLDEN = Path(__file__).parents[2] / "golden"
WRITE = "pytest tests/stages/ledger/test_golden_statements.py --write-golden"


@pytest.fixture
def recorded(service: Service) -> Recorded:
    """All that the ledger executed when it was asked everything; Postgres has explained each statement."""
    with recording() as recorded:
        service.restart()
        ask_everything(service)
        service.restart()
    return recorded


def files(recorded: Recorded) -> dict[str, str]:
    """The golden files by name."""
    sentences = asking_functions()
    parts: dict[str, list[str]] = {}
    for module, function in sorted(recorded.statements):
        sentence = sentences.get((module, function), "")
        texts = sorted(recorded.statements[module, function])
        for number, text in enumerate(texts, 1):
            title = function if len(texts) == 1 else f"{function}, {number} of {len(texts)}"
            lines = [f"-- {title}: {sentence}" if sentence else f"-- {title}"]
            lines += [f"-- {recorded.examples[text]}"] if recorded.examples[text] else []
            parts.setdefault(module, []).append("\n".join([*lines, f"{text};"]))
    return {
        f"{module.removesuffix('.py')}.sql": "\n\n".join(
            [f"-- What ledger/{module} executes. Written by: {WRITE}", *statements, ""]
        )
        for module, statements in parts.items()
    }


def test_the_golden_files_are_what_the_ledger_executes(recorded: Recorded, request: pytest.FixtureRequest) -> None:
    written = files(recorded)
    if request.config.getoption("--write-golden"):
        for there in GOLDEN.rglob("*.sql"):
            there.unlink()
        for name, text in written.items():
            (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / name).write_text(text)
    golden = {there.relative_to(GOLDEN).as_posix(): there.read_text() for there in GOLDEN.rglob("*.sql")}
    never_asked = sorted(
        f"ledger/{module}: {function}" for module, function in set(asking_functions()) - set(recorded.statements)
    )
    assert never_asked == [], "asking_everything.py doesn't ask these functions: ask them there"
    differing = [
        f"ledger/{name[:-4]}.py: {title}"
        for name in sorted({*golden, *written})
        for title in _differing(golden.get(name, ""), written.get(name, ""))
    ]
    assert differing == [], (
        f"these execute other statements than tests/golden says: run `{WRITE}` and look at `git diff tests/golden`"
    )


def _differing(golden: str, written: str) -> list[str]:
    """The functions whose statements aren't the same in both texts of a file."""
    before, now = _by_title(golden), _by_title(written)
    return [title for title in {**before, **now} if before.get(title) != now.get(title)]


def _by_title(text: str) -> dict[str, list[str]]:
    """Statements by the function that executes them."""
    statements: dict[str, list[str]] = {}
    for statement in text.split("\n\n")[1:]:
        title = re.split("[:,\n]", statement.removeprefix("-- "), maxsplit=1)[0]
        statements.setdefault(title, []).append(statement.strip())
    return statements
