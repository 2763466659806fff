"""What holds of every command: money has one form in JSON; a name that isn't there is an error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from overnight_models.errors import PermanentError
from overnight_models.states import BATCH, DELIVERY, ITEM
from overnight_models.wire.outcome import Problem
from overnight_workers.cli import app
from overnight_workers.one_machine.installation import WORKERS
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, callback, item, params

GROUP = get_command(app)
assert isinstance(GROUP, TyperGroup)
OPTIONS: dict[str, set[str]] = {
    name: {option for parameter in command.params for option in parameter.opts}
    for name, command in GROUP.commands.items()
}
"""Every command's options."""

IN_JSON: dict[str, list[list[str]]] = {
    "status": [[]],
    "batches": [[], ["--unclear"]],
    "items": [[], ["--key", "a"], ["--state", "failed"]],
    "costs": [["--by", by] for by in ("lane", "tenant", "model", "run", "day")],
    "budget": [["--lane", "default"], []],
    "lanes": [[]],
    "errors": [[]],
    "actions": [[]],
    "tail": [["--since", "1h", "--number", "1"]],
    "redo": [["--all"]],
    "retry": [["--all", "--dry-run"]],
    "cancel": [["--all"]],
    "replay": [[]],
    "purge": [["--all", "--dry-run"]],
    "plan": [["FILE", "--offline", "--run", "kept"], ["--compare", "kept"]],
    "enqueue": [["BAD"]],
    "doctor": [[]],
    "health": [["--queue", next(iter(WORKERS.values())).queues[0]]],
    "enrich": [["CATALOG", "--dry-run"]],
    "runs": [[]],
    "schedules": [[]],
    "webhooks": [[]],
}
"""How each command that has `--json` is asked for it."""
ASKED_ELSEWHERE = {"compare", "encryption"}
"""They need more: `tests/stages/catalogs/test_trying.py`, `tests/stages/encryption/test_rotation.py`."""
CATALOG = """
key = "sku"
model = "claude-haiku-5-5"
max_tokens = 10
source.path = "shop.csv"
prompt.row = "Describe {{ name }}"
sink.path = "out.csv"
"""

MONEY = re.compile(r"-?\d+(\.\d{1,9})?")


@pytest.fixture
def busy(service: Service) -> Service:
    """Something of everything: answered, failed, held, waiting, delivered."""
    service.accept(
        item("a", callback=callback(), tenant="acme"), item("b", fault="errored:invalid_request_error"), run="r"
    )
    service.finish()
    deliver()
    assert CliRunner().invoke(app, ["budget", "--lane", "default", "--day", "0"]).exit_code == 0
    service.accept(item("c", params=params("Describe", max_tokens=9)))
    pack()
    sweep()
    return service


def write_file(tmp_path: Path, line: str = json.dumps({"key": "f", "params": params("Describe a kettle")})) -> str:
    """A file of requests."""
    file = tmp_path / "work.jsonl"
    file.write_text(line)
    return str(file)


def told(tmp_path: Path, command: str, words: list[str]) -> Any:
    """What a command prints as JSON."""
    files = {"FILE": write_file(tmp_path), "BAD": str(tmp_path / "bad.jsonl"), "CATALOG": str(tmp_path / "shop.toml")}
    (tmp_path / "bad.jsonl").write_text("no request")
    (tmp_path / "shop.csv").write_text("sku,name\n1,a kettle\n")
    (tmp_path / "shop.toml").write_text(CATALOG)
    done = CliRunner().invoke(app, [command, *(files.get(word, word) for word in words), "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit | PermanentError), done.output
    return documents(done.stdout)


def documents(printed: str) -> Any:
    """A document, or the rows of JSON Lines."""
    try:
        return json.loads(printed)
    except json.JSONDecodeError:
        return [json.loads(line) for line in printed.splitlines()]


def leaves(document: Any) -> Iterator[tuple[str, Any]]:
    """Every name in a document, and its value."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield name, value
            yield from leaves(value)
    elif isinstance(document, list):
        for value in document:
            yield from leaves(value)


def test_every_command_that_prints_json_is_asked_here() -> None:
    assert set(IN_JSON) | ASKED_ELSEWHERE == {name for name, options in OPTIONS.items() if "--json" in options}


def test_money_is_dollars_as_an_exact_decimal_string_in_names_that_end_in_usd(busy: Service, tmp_path: Path) -> None:
    for command, words in [(command, words) for command, many in IN_JSON.items() for words in many]:
        asked = f"{command} {words}"
        values = [
            (name, value) for name, value in leaves(told(tmp_path, command, words)) if not isinstance(value, dict)
        ]
        assert [name for name, _ in values if "nano" in name] == [], asked
        sums = [value for name, value in values if name.endswith("usd")]
        assert [
            value for value in sums if not (value is None or (isinstance(value, str) and MONEY.fullmatch(value)))
        ] == [], asked
        of_money = re.compile(r"(cost|saved|billed|spent|cap|left|reserved)(_to_pay)?")
        assert [(name, value) for name, value in values if of_money.fullmatch(name) and value is not None] == [], asked


def test_the_status_tells_the_held_from_the_waiting_and_leads_on(busy: Service) -> None:
    busy.ledger.give_rows()
    busy.ledger.execute("UPDATE delivery SET state = 'dead', error = 'queue gone', due_at = now()")
    sweep()
    said = CliRunner().invoke(app, ["status"]).output
    assert re.search(r"^lane +waiting +oldest +held +batched", said, re.MULTILINE)
    assert re.search(r"^default +0 +- +1 +0", said, re.MULTILINE), said
    assert "default: 1 held → `overnight items --lane default --state held`" in said
    assert "default: 1 failed → `overnight items --lane default --state failed`; `overnight redo --lane" in said
    assert "default: 1 delivery dead → `overnight items --lane default --delivery dead`" in said
    status = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)
    assert (status["items"]["held"], status["items"].get("waiting", 0)) == (1, 0)


def test_items_show_problem_batch_tenant_and_what_became_of_their_delivery(busy: Service) -> None:
    busy.ledger.give_rows()
    busy.ledger.execute("UPDATE delivery SET state = 'dead', error = 'queue gone', tries = 3, due_at = now()")
    said = CliRunner().invoke(app, ["items"]).output
    (a,) = [line for line in said.splitlines() if line.startswith("a ")]
    assert all(word in a for word in ("acme", "succeeded", "dead after 3 tries, queue shop: queue gone")), a
    assert re.search(r"succeeded +1 ", a), "its batch"
    (b,) = [line for line in said.splitlines() if line.startswith("b ")]
    assert "errored: " in b
    (c,) = [line for line in said.splitlines() if line.startswith("c ")]
    assert "over the cap by itself: lane default, a day" in c
    only = json.loads(CliRunner().invoke(app, ["items", "--delivery", "dead", "--json"]).stdout)
    assert only["delivery"] == {"state": "dead", "queue": "shop", "broker": "", "tries": 3, "error": "queue gone"}
    assert (only["key"], only["tenant"], only["run"], only["batch"]) == ("a", "acme", "r", 1)
    failed = json.loads(CliRunner().invoke(app, ["items", "--problem", "errored", "--json"]).stdout)
    assert failed["key"] == "b"


# --- names that aren't there -----------------------------------------------------------------------------------------

FILTERS: dict[str, tuple[str, ...]] = {
    "--lane": ("default",),
    "--run": ("r",),
    "--batch": ("overnight batches",),
    "--problem": tuple(Problem),
    "--delivery": tuple(DELIVERY.states),
    "--tenant": ("acme",),
    "--model": ("claude-haiku-5-5",),
    "--queue": ("shop",),
}
"""Options that name something, and what an error lists."""
STATES = {"batches": tuple(BATCH.states)}
"""By command, what an error lists for `--state`; the others' are those of items."""
CREATE = {("plan", "--run"), ("enqueue", "--run"), ("budget", "--run"), ("budget", "--tenant"), ("compare", "--model")}
"""A name that is new there is no mistake."""
OF_WORKERS = {("health", "--queue")}
"""Not a queue that outcomes go to, but one that a worker listens to."""
MORE = {"enqueue": ["FILE"], "plan": ["FILE", "--offline"], "redo": ["--yes"], "cancel": ["--yes"]}
ASKED = [
    (command, option)
    for command, options in OPTIONS.items()
    for option in ("--lane", "--run", "--tenant", "--model", "--batch", "--state", "--problem", "--delivery", "--queue")
    if option in options and (command, option) not in CREATE | OF_WORKERS
]


def test_a_name_that_is_not_there_is_an_error_that_says_what_is(busy: Service, tmp_path: Path) -> None:
    file = write_file(tmp_path)
    for command, option in ASKED:
        more = [file if word == "FILE" else word for word in MORE.get(command, [])]
        wrong = "987654" if option == "--batch" else "nope"
        done = CliRunner().invoke(app, [command, *more, option, wrong])
        said = f"{command} {option}: {done.output} {done.exception}"
        assert done.exit_code != 0, said
        assert wrong in said
        there = STATES.get(command, tuple(ITEM.states)) if option == "--state" else FILTERS[option]
        assert [name for name in there if name not in said] == [], said


def test_the_filters_that_are_tried_are_all_there_are() -> None:
    named = {
        ("items", "--state"),
        ("batches", "--state"),
        ("items", "--delivery"),
        ("redo", "--problem"),
        ("cancel", "--tenant"),
        ("items", "--model"),
        ("replay", "--lane"),
        ("replay", "--queue"),
        ("items", "--queue"),
    }
    assert named <= set(ASKED)
    assert len(ASKED) > 12


def test_so_is_a_key_that_no_item_has(busy: Service) -> None:
    assert CliRunner().invoke(app, ["items", "a"]).exit_code == 0
    for command in [name for name, options in OPTIONS.items() if "--key" in options]:
        done = CliRunner().invoke(app, [command, *MORE.get(command, []), "--key", "nope"])
        assert done.exit_code != 0, command
        assert "no item has the key 'nope'" in str(done.exception), command


def test_so_is_a_key_of_another_lane(busy: Service) -> None:
    busy.configure(lanes={"other": {}})
    done = CliRunner().invoke(app, ["items", "a", "--lane", "other"])
    assert "lane 'other' has no item with the key 'a': lane default has" in str(done.exception)


def test_so_is_an_argument(busy: Service) -> None:
    for words in (["pause", "nope"], ["resume", "nope"], ["decide", "987654", "--gone", "--yes"]):
        done = CliRunner().invoke(app, words)
        assert done.exit_code != 0, words
        assert words[1] in str(done.exception)
