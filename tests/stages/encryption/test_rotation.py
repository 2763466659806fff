"""Keys are replaced, and everything is encrypted anew; which key may go, and what `doctor` says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from overnight_models.errors import BadSettings
from overnight_models.ledger.operators import actions
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.operators import checkup, findings, words
from overnight_workers.operators.encryption import rotate
from overnight_workers.settings import read_settings
from tests.driving import Service, item, read_command
from tests.stages.encryption.keys import SECRET, answer, new_key, places_with_secret, secret, write

Json = dict[str, Any]


def standing(exit_code: int = 0) -> Json:
    """What `overnight encryption` says in JSON."""
    done = CliRunner().invoke(app, ["encryption", "--json"])
    assert done.exit_code == exit_code, f"{done.output} {done.exception!r}"
    said: Json = json.loads(done.stdout.splitlines()[-1])
    return said


def encrypt(service: Service, path: Path, name: str | None = "main") -> None:
    service.configure(lane={"encrypt": name} if name else {}, encryption={"main": {"keys": f"file:{path}"}})


def fill(service: Service, key: str) -> None:
    """Some in groups, one by itself, one that failed: values in each column that is encrypted."""
    service.accept(*(secret(f"{key}{n}") for n in range(20)))
    service.accept(secret(f"{key}-alone"))
    service.accept(secret(f"{key}-failed", fault="errored:invalid_request_error"))
    service.finish()


def test_after_a_rotation_the_old_key_may_go_and_everything_is_readable(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    write(path, old := new_key())
    encrypt(service, path)
    fill(service, "a")
    write(path, new := new_key(), old)
    before = standing()["keys"]
    assert [key["writes"] for key in before] == [["default"], []]
    assert (before[0]["values"], before[1]["may_go"]) == (0, False)
    read_command(app, "encryption", "rotate", "--reason", "the old one is a year old")
    with process.database().transaction() as connection:
        (noted,) = actions.actions(connection, limit=1)
    assert (noted.name, noted.done, noted.reason) == ("rotate", before[1]["values"], "the old one is a year old")
    assert words.wish(noted) == "all"
    after = standing()["keys"]
    assert [key["values"] for key in after] == [before[1]["values"], 0]
    assert after[1]["may_go"]
    write(path, new)
    assert all(SECRET in (answer(service, key) or "") for key in ("a3", "a-alone"))
    assert places_with_secret(service) == set()
    read_command(app, "redo", "--key", "a-failed", "--yes")  # its request and its callback are readable
    service.finish()


def test_what_was_there_before_is_encrypted_and_no_more_when_the_lane_is_told_so(
    service: Service, tmp_path: Path
) -> None:
    path = tmp_path / "keys"
    write(path, new_key())
    fill(service, "a")
    assert places_with_secret(service)
    encrypt(service, path)
    assert standing()["plain"]["default"] > 0
    read_command(app, "encryption", "rotate")
    assert (places_with_secret(service), standing()["plain"]) == (set(), {})
    encrypt(service, path, None)
    assert standing()["needless"]["default"] > 0
    read_command(app, "encryption", "rotate")
    assert standing()["keys"][0]["may_go"]
    assert SECRET in (answer(service, "a-alone") or "")


def test_a_value_without_its_key_stays_and_is_said(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    write(path, new_key())
    encrypt(service, path)
    fill(service, "a")
    write(path, new_key())
    done = CliRunner().invoke(app, ["encryption", "rotate"])
    assert done.exit_code == 1
    assert "can't be read and stay as they are" in done.output
    with process.database().transaction() as connection:
        (noted,) = actions.actions(connection, limit=1)
    assert words.wish(noted).startswith("values that can't be read: ")
    assert [key["named"] for key in standing(exit_code=1)["keys"]] == ["main", None]


def test_killed_in_the_middle_a_rotation_goes_on_and_a_key_may_go_when_reasons_need_it_no_more(
    service: Service, tmp_path: Path
) -> None:
    path = tmp_path / "keys"
    write(path, old := new_key())
    encrypt(service, path)
    fill(service, "a")
    service.accept(item("bad", params={"model": SECRET}))
    write(path, new_key(), old)
    for column, _ in rotate():
        if column == "answer_group":
            break  # killed: each step was a transaction of its own
    assert standing()["keys"][1]["values"] > 1
    read_command(app, "encryption", "rotate")
    (new, before) = standing()["keys"]
    assert (before["values"], before["may_go"]) == (1, False), "why an item was turned down is kept for 7 days"
    service.ledger.execute("DELETE FROM inbox")
    assert standing()["keys"] == [new, before | {"values": 0, "may_go": True}]


def test_doctor_says_which_keys_secrets_and_brokers_are_not_there(service: Service, tmp_path: Path) -> None:
    service.configure(
        lane={"encrypt": "main"},
        encryption={"main": {"keys": f"file:{tmp_path / 'keys'}"}},
        webhooks={"shop": {"url": "https://shop.example/hook", "secrets": [f"file:{tmp_path / 'secret'}"]}},
        brokers={"shop": {"url": f"file:{tmp_path / 'broker'}"}, "crm": {"url": "redis://crm.example"}},
    )
    by_check = {finding.check: finding for finding in checkup.doctor()}
    assert "can't be read: No such file" in by_check["encryption main"].found
    assert "[brokers.shop] takes nothing, its outcomes wait: " in by_check["urls of brokers"].found
    assert "the file can't be read" in by_check["secrets of webhooks"].found
    write(tmp_path / "keys", new_key(), new_key())
    (tmp_path / "broker").write_text("redis://shop.example/0")
    again = {finding.check: finding for finding in checkup.doctor()}
    assert again["encryption main"].state == again["urls of brokers"].state == findings.OK
    assert "reads by 1 more" in again["encryption main"].found
    assert again["urls of brokers"].found == "can be read: shop, crm"


def test_a_lane_that_encrypts_by_keys_that_nobody_named_is_a_fault_of_the_settings(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERNIGHT_LANES", json.dumps({"default": {"encrypt": "other"}}))
    with pytest.raises(BadSettings, match=r"there is no \[encryption.other\]"):
        read_settings()
