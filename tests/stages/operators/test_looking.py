"""What the command line shows: lanes of each host, problems, outcomes as they come; tables, exit codes, completion."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from rich.cells import cell_len
from typer.testing import CliRunner

from overnight_models import routes
from overnight_models.errors import PermanentError
from overnight_models.ledger.operators import lanes, problems
from overnight_models.ledger.operators.problems import Which
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.command import main
from overnight_workers.stages.rescue import publish_policy
from tests.benchmarks.plans import watched
from tests.driving import Service, callback, item, read_command

SECRET = "xyzzy-payload"


def rows(*words: str) -> list[dict[str, Any]]:
    """The JSON Lines of a command."""
    return [json.loads(line) for line in read_command(app, *words, "--json").splitlines()]


def test_lanes_show_the_policy_of_each_host_and_who_paused_what_and_why(service: Service) -> None:
    service.configure(
        lane={"max_wait": "0s"},
        lanes={
            "copy": {
                "max_items": 7,
                "keep_keys": "90d",
                "keep_outcomes": "9d",
                "keep_bodies": "9d",
                "keep_deliveries": "9d",
            }
        },
    )
    publish_policy()
    other = {
        "file": None,
        "at": datetime.now(UTC).isoformat(),
        "lanes": {
            "copy": {"workspace": "default", "road": "direct", "max_items": 9, "max_wait": 60.0, "submit_window": None}
        },
    }
    with redis.Redis.from_url(service.redis_url) as client:
        client.hset(routes.HOST_POLICIES_KEY, "worker-2", json.dumps(other))
        gone = other | {"at": "2026-01-01T00:00:00+00:00"}
        client.hset(routes.HOST_POLICIES_KEY, "gone", json.dumps(gone))
    service.accept(item("a"), lane="copy")
    read_command(app, "pause", "copy", "--reason", "a wrong prompt")
    listed = rows("lanes")
    copies = [row for row in listed if row["lane"] == "copy"]
    assert sorted(row["options"]["max_items"] for row in copies) == [7, 9]
    assert {row["paused_reason"] for row in copies} == {"a wrong prompt"}
    assert {row["waiting"] for row in copies} == {1}
    assert all(row["paused_by"] for row in copies)
    assert "gone" not in {row["host"] for row in listed}
    page = read_command(app, "lanes")
    assert "worker-2" in page
    assert "a wrong prompt" in page


def test_errors_are_grouped_and_show_nothing_of_a_request_or_an_answer(service: Service) -> None:
    service.accept(
        *(item(f"k{n}", f"{SECRET} {n}", fault="errored:invalid_request_error") for n in range(3)),
        item("r", f"{SECRET} again", fault="refused"),
        item("fine", SECRET),
    )
    service.finish()
    groups = rows("errors")
    assert [(group["problem"], group["n"]) for group in groups] == [("errored", 3), ("refused", 1)]
    assert [group["problem"] for group in rows("errors", "--problem", "refused")] == ["refused"]
    assert rows("errors", "--lane", "default", "--since", "1h") == groups
    page = read_command(app, "errors")
    assert SECRET not in page + json.dumps(groups)
    read_command(app, "redo", "--problem", "errored", "--yes")
    assert [group["problem"] for group in rows("errors")] == ["refused"], "what is tried again is no problem any more"


def test_errors_are_looked_for_window_by_window_and_it_says_what_was_not_looked_at(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.accept(
        *(item(f"k{n}", fault="errored:invalid_request_error") for n in range(5)), item("r", fault="refused")
    )
    service.finish()
    read_command(app, "redo", "--problem", "refused", "--yes")
    monkeypatch.setattr(problems, "WINDOW", 2)
    with process.database().transaction() as connection:
        newest = problems.said(connection, Which(), look_at=2)
        every = problems.said(connection, Which(), look_at=9)
        hurried = problems.said(connection, Which(), look_at=9, for_s=0)
        three = problems.said(connection, Which(), look_at=3)
        of_lane = problems.said(connection, Which(lane="default", problem="errored"), look_at=9)
        older = problems.said(connection, Which(), before=newest.before, look_at=9)
        totals = problems.totals(connection)
    assert (every.looked_at, every.is_all, sum(part.n for part in every.problems)) == (6, True, 5)
    assert newest == hurried
    assert [(said.looked_at, said.is_all) for said in (newest, three, older)] == [(2, False), (3, False), (4, True)]
    assert sum(part.n for part in newest.problems + older.problems) == 5, "it goes on where the look before ended"
    assert [(part.problem, part.n) for part in of_lane.problems] == [("errored", 1), ("errored", 2), ("errored", 2)]
    assert totals == [("default", "errored", 5), ("default", "refused", 1)], "also what is tried again"
    page = CliRunner().invoke(app, ["errors", "--look-at", "2"])
    assert f"Of the newest 2 of 6 outcomes that aren't ok. Older ones: --before {newest.before}" in page.stderr
    page = CliRunner().invoke(app, ["errors", "--look-at", "2", "--before", str(newest.before)])
    assert "Of 2 older of 6 outcomes that aren't ok." in page.stderr
    listed = CliRunner().invoke(app, ["errors", "--json", "--look-at", "2"])
    documents = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [(line["n"], line["looked_at"], line["so_far"]) for line in documents] == [(1, 2, 6)]


def test_a_window_of_problems_passes_over_what_is_fine(service: Service) -> None:
    service.accept(*(item(f"k{n}") for n in range(300)), item("r", fault="refused"))
    service.finish()
    service.ledger.execute("ANALYZE outcome")
    plans_of = watched(process.database(), "EXPLAIN (ANALYZE, TIMING OFF)")
    with plans_of as plans, process.database().transaction() as connection:
        assert problems.said(connection, Which()).looked_at == 1
    plan = next(plan for statement, plan in plans if "LIMIT" in statement)
    assert "Index" in plan
    assert "Removed by Filter" not in plan, plan


def test_problems_of_a_run_are_looked_for_in_windows_of_its_items(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.accept(item("r0", fault="refused"), run="nightly")
    service.accept(*(item(f"o{n}", fault="errored:invalid_request_error") for n in range(3)), run="other")
    service.accept(*(item(f"r{n}", fault="refused") for n in range(1, 5)), item("fine"), run="nightly")
    service.finish()
    monkeypatch.setattr(problems, "_WINDOW_OF_RUN", 2)
    with process.database().transaction() as connection:
        every = problems.said(connection, Which(run="nightly"))
        parts, before = [], None
        while True:
            part = problems.said(connection, Which(run="nightly"), before=before, for_s=0)
            parts.append(part)
            before = part.before
            if before is None:
                break
    assert (every.looked_at, every.is_all, {part.problem for part in every.problems}) == (5, True, {"refused"})
    numbers = [number for part in parts for said in part.problems for number in said.item_ids]
    assert len(parts) == 4, "two items each, and a last look that finds none"
    assert sorted(numbers) == sorted(number for said in every.problems for number in said.item_ids)
    assert len(set(numbers)) == 5


def test_an_age_that_no_calendar_has_is_an_error_in_a_sentence(service: Service) -> None:
    answer = CliRunner().invoke(app, ["errors", "--since", "99999999999d"])
    assert isinstance(answer.exception, PermanentError)
    assert "--since is an age such as '2h'" in str(answer.exception)


def test_whoever_looks_at_many_lanes_reads_the_tally_once(service: Service) -> None:
    service.ledger.execute("INSERT INTO lane (name) SELECT 'lane ' || n FROM generate_series(1, 300) n")
    service.ledger.execute(
        "INSERT INTO tally (noun, lane_id, state, n, bytes)"
        " SELECT 'item', 1 + mod(n, 300), 'waiting', 1, 0 FROM generate_series(1, 3000) n"
    )
    explain = "EXPLAIN (ANALYZE, TIMING OFF)"
    with watched(process.database(), explain) as plans, process.database().transaction() as connection:
        states = lanes.states(connection)
    assert sum(state.waiting for state in states) == 3000
    (plan,) = [plan for statement, plan in plans if "tally" in statement]
    assert re.findall(r"Scan.* on tally .*loops=(\d+)", plan) == ["1"]


def test_tail_shows_each_outcome_once_in_the_order_in_which_they_came(service: Service) -> None:
    service.accept(item("a", SECRET), item("b", f"{SECRET} b", fault="refused"))
    service.finish()
    service.accept(item("c", f"{SECRET} c", tenant="acme"), run="r")
    service.finish()
    shown = rows("tail", "--since", "1h", "--number", "3")
    assert [row["key"] for row in shown] == ["a", "b", "c"]
    assert [row["problem"] for row in shown] == [None, "refused", None]
    assert rows("tail", "--since", "1h", "--number", "1", "--run", "r")[0]["tenant"] == "acme"
    page = read_command(app, "tail", "--since", "1h", "--number", "1", "--problem", "any")
    assert " default b failed batch " in page
    assert SECRET not in page + json.dumps(shown)


def test_tail_names_the_rows_of_a_catalog_as_people_know_them(service: Service) -> None:
    row = f"catalog/shop/{'0a' * 16}/de/{'1b' * 8}"
    service.accept(item(row, SECRET, trace_id='["A1","Köln"]'))
    service.finish()
    page = read_command(app, "tail", "--since", "1h", "--number", "1")
    assert " default shop: A1, Köln (de) succeeded batch " in page
    (document,) = rows("tail", "--since", "1h", "--number", "1")
    assert (document["key"], document["trace_id"]) == (row, '["A1","Köln"]')


def test_an_item_that_is_named_is_shown_with_its_whole_life(service: Service) -> None:
    service.accept(item("a", f"{SECRET} a", callback=callback()), item("b", f"{SECRET} b"))
    service.finish()
    page = read_command(app, "items", "a")
    life = page.partition("a in lane default")[2]
    parts = ("accepted", "packed into batch 1", "Anthropic created", "Anthropic ended", "delivered")
    assert [part for part in parts if part not in life] == []
    assert sorted(parts, key=life.index) == list(parts), "in the order of time"
    (row,) = rows("items", "a")
    assert row["life"][0]["what"].startswith("accepted")
    assert "life" not in rows("items")[0], "a list has no lives"
    assert SECRET not in page + json.dumps(row)


def test_pages_of_items_follow_each_other(service: Service) -> None:
    service.accept(*(item(f"k{n}") for n in range(5)))
    first = CliRunner().invoke(app, ["items", "--limit", "2", "--json"])
    assert [json.loads(line)["key"] for line in first.stdout.splitlines()] == ["k4", "k3"]
    (before,) = [line.split()[-1] for line in first.stderr.splitlines() if "--before" in line]
    assert [row["key"] for row in rows("items", "--limit", "9", "--before", before)] == ["k2", "k1", "k0"]


def test_columns_stand_under_each_other_in_chinese_too(service: Service) -> None:
    service.accept(item("鞋子红色"), item("plain"), item("수건"), run="春季目录")
    header, *lines = read_command(app, "items", "--run", "春季目录").rstrip().splitlines()
    place = cell_len(header[: header.index("lane")])
    assert len(lines) == 3
    for line in lines:
        assert cell_len(line[: line.index("default")]) == place, line


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["status"], 0),
        (["items", "--lane", "nope"], 1),
        (["items", "--nope"], 2),
        (["cancel", "--yes"], 1),
        (["abort", "1"], 1),
        (["drain"], 2),
    ],
)
def test_exit_codes_are_the_documented_ones(
    service: Service, words: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["overnight", *words])
    with pytest.raises(SystemExit) as ended:
        main(sys.exit)
    said = capfd.readouterr().err
    assert (ended.value.code or 0) == code, said
    assert bool(said) == bool(code), "what is wrong is said on standard error"


def test_a_command_ends_with_its_exit_code(service: Service) -> None:
    overnight = str(Path(sys.executable).with_name("overnight"))
    done = subprocess.run([overnight, "abort", "1"], capture_output=True, check=False, env=dict(os.environ))
    assert done.returncode == 1, done.stderr.decode()
    assert done.stderr


@pytest.mark.parametrize(("typed", "offered"), [("overnight can", "cancel"), ("overnight redo --ten", "--tenant")])
def test_the_shell_completes_commands_and_options(typed: str, offered: str) -> None:
    words = typed.split()
    asked = {"_OVERNIGHT_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    overnight = Path(sys.executable).with_name("overnight")
    done = subprocess.run([str(overnight)], capture_output=True, check=False, env={**os.environ, **asked})
    assert offered in done.stdout.decode().split(), done.stderr.decode()


def test_one_delivery_target_is_no_payload(service: Service) -> None:
    service.accept(item("a", SECRET, callback=callback(args=[SECRET])))
    service.finish()
    said = [read_command(app, *words) for words in (["items"], ["items", "a", "--json"], ["actions"], ["status"])]
    assert not [page for page in said if SECRET in page]
