"""Each statement that the ledger executes stands whole in `tests/golden`, to be read and explained by a person.

After a statement was changed: `pytest tests/stages/ledger/test_golden_statements.py --write-golden`, and look at what
changed in the files.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.driving import Service
from tests.stages.ledger.asking_everything import ask_everything
from tests.stages.ledger.recording import Recorded, asking_functions, recording

GOLDEN = Path(__file__).parents[2] / "golden"
WRITE = "pytest tests/stages/ledger/test_golden_statements.py --write-golden"
ASKED_ONCE = {
    ("collect/asking_again.py", "ask_again"): "only with a state that the small ledger doesn't have yet",
    ("collect/collect.py", "disown"): "only with a state that the small ledger doesn't have yet",
    ("poll.py", "postpone_reading"): "only with a state that the small ledger doesn't have yet",
    ("rescue.py", "forget_sightings"): "only with a state that the small ledger doesn't have yet",
    ("submit/facts.py", "disown"): "only with a state that the small ledger doesn't have yet",
    ("operators/redoing.py", "prospect"): "only with a state that the small ledger doesn't have yet",
    ("operators/redoing.py", "redo_group"): "only with a state that the small ledger doesn't have yet",
    ("operators/redoing.py", "newest"): "only with a state that the small ledger doesn't have yet",
    ("redo.py", "why_not"): "only with a state that the small ledger doesn't have yet",
    ("workspaces.py", "note_look"): "only with a state that the small ledger doesn't have yet",
    ("schema.py", "_adopt_version"): "only in a ledger of 0.1",
    ("answer.py", "_follower"): "only of an item that follows another",
    ("following.py", "_end"): "only of an item that follows another",
    ("known.py", "_lock"): "only of a key that comes again with other wishes",
    ("known.py", "_point_to"): "only of a key that comes again with other wishes",
    ("accept.py", "_known"): "only of a key that comes again",
}
"""What isn't asked of a small new ledger, and when it is."""


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
            [f"-- What ledger/{module} executes. Written by: {WRITE}", *found, ""]
        )
        for module, found in parts.items()
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
    assert sorted(golden) == sorted(written), f"write them anew: {WRITE}"
    for name, text in written.items():
        assert golden[name] == text, f"{name}: write it anew, and look at the diff: {WRITE}"
    missing = set(asking_functions()) - set(recorded.statements) - set(ASKED_ONCE)
    assert missing == set(), "ask these too, in asking_everything.py"
