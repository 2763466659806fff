"""Lanes that encrypt: no body is readable in Postgres, everything works, and a key may be replaced or missing."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from overnight_models.errors import BadSettings
from overnight_models.ledger.bodies import encryption
from overnight_models.ledger.bodies.encryption import NoKey
from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.retention import bodies as retention
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.keys.encryption_keys import ConfiguredKeys, keys_named
from overnight_workers.stages import rescue
from overnight_workers.stages.accept.accept import accept, take_in
from overnight_workers.stages.accept.gather import Message
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item, params, read_command
from tests.stages.encryption.keys import SECRET, answer, new_key, places_with_secret, secret, write

Json = dict[str, Any]


@pytest.fixture
def key_file(service: Service, tmp_path: Path) -> Path:
    """A file with one key; the default lane encrypts by it."""
    path = tmp_path / "keys"
    write(path, new_key())
    use(service, path)
    return path


def use(service: Service, path: Path, **lane: Any) -> None:
    service.configure(lane={"encrypt": "main"} | lane, encryption={"main": {"keys": f"file:{path}"}})


def test_the_log_says_how_many_were_rejected_and_nothing_of_what_they_asked(
    service: Service, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.accept(item("bad", params={"model": SECRET}))
    logged = capsys.readouterr()
    assert "items rejected" in logged.out + logged.err
    assert SECRET not in logged.out + logged.err


def test_no_table_holds_a_text_of_an_encrypting_lane_and_its_outcomes_come_whole(
    service: Service, key_file: Path
) -> None:
    service.accept(*(secret(f"k{n}") for n in range(30)), secret("bad", fault="errored:invalid_request_error"))
    service.accept(secret("alone"))
    service.finish()
    assert places_with_secret(service) == set()
    messages = service.queue()
    assert len(messages) == 32
    assert SECRET in (answer(service, "k7") or "")
    assert SECRET in (answer(service, "alone") or "")
    printed = read_command(app, "outcomes")
    assert printed.count(SECRET) >= 30
    assert "encrypted:" not in printed


def test_what_callbacks_of_an_encrypting_lane_have_in_common_stands_in_no_table_of_its_own(
    service: Service, key_file: Path
) -> None:
    service.accept(item("a", callback=callback()))
    assert service.ledger.fetch_all("SELECT * FROM callback") == []
    service.finish()
    assert len(service.queue()) == 1


def test_without_the_setting_the_same_search_finds_them(service: Service) -> None:
    service.accept(secret("alone"), *(secret(f"k{n}") for n in range(30)))
    service.finish()
    texts = {"request_from_0.callback", "request_group_from_0.packed", "answer_group_from_0.packed"}
    assert texts <= places_with_secret(service)


def test_turned_on_and_off_the_old_stays_readable(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    write(path, new_key())
    service.accept(secret("plain"))
    use(service, path)
    service.accept(secret("encrypted"))
    service.configure(encryption={"main": {"keys": f"file:{path}"}})
    service.accept(secret("plain again"))
    service.finish()
    assert len(service.queue()) == 3


def test_a_new_key_counts_without_a_restart_and_the_old_one_reads(service: Service, key_file: Path) -> None:
    old = key_file.read_text().strip()
    service.accept(*(secret(f"a{n}") for n in range(20)))
    new = new_key()
    write(key_file, new, old)
    service.accept(*(secret(f"b{n}") for n in range(20)))
    service.finish()
    packed = service.ledger.fetch_all("SELECT packed FROM request_group ORDER BY id")
    ids = [encryption.key_id(base64.b64decode(key)) for key in (old, new)]
    assert [encryption.id_in(bytes(row["packed"])) for row in packed] == ids
    assert len(service.queue()) == 40


def test_without_its_key_what_is_asked_waits_and_goes_on_when_the_key_is_back(
    service: Service, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = key_file.read_text().strip()
    service.accept(secret("small"), callback_free("other"))
    service.accept(*(secret(f"k{n}") for n in range(20)))
    pack()
    write(key_file, new_key())
    service.restart()
    submit()
    assert set(service.ledger.states("item")) == {"held"}
    reasons = {row["held_reason"] for row in service.ledger.fetch_all("SELECT held_reason FROM item")}
    assert all("no [encryption.NAME] has here" in reason for reason in reasons)
    write(key_file, new_key(), own)
    service.restart()
    rescue.sweep()
    service.finish()
    assert set(service.ledger.states("item")) == {"succeeded"}


def callback_free(key: str) -> Json:
    return item(key, f"Describe the {SECRET} of {key}")


def test_without_its_key_an_answer_waits_undelivered_and_no_try_is_counted(service: Service, key_file: Path) -> None:
    own = key_file.read_text().strip()
    service.accept(*(secret(f"k{n}") for n in range(20)))
    service.round()
    service.ledger.give_rows()
    service.ledger.execute("UPDATE delivery SET state = 'due', tries = 0, due_at = now()")
    service.empty()
    write(key_file, new_key())
    service.restart()
    deliver()
    rows = service.ledger.fetch_all("SELECT state, tries FROM delivery")
    assert {(row["state"], row["tries"]) for row in rows} == {("due", 0)}
    assert service.queue() == []
    write(key_file, own)
    service.restart()
    service.clock.pauses_are_over()
    deliver()
    assert len(service.queue()) == 20


def test_without_a_key_to_write_by_a_message_is_given_back_and_never_turned_down(
    service: Service, key_file: Path
) -> None:
    use(service, missing := key_file.with_name("not there yet"))
    message: Json = {"v": 1, "message_id": str(uuid4()), "lane": "default", "items": ""}

    line = orjson.dumps(secret("a")).decode()
    for _ in range(8):
        with pytest.raises(NoKey, match=r"can't be written: \[encryption.main\] has no key"):
            take_in([Message(1, UUID(message["message_id"]), "default", line, None, None)])
    write(missing, new_key())
    accept(v=1, message_id=message["message_id"], lane="default", items=line)
    assert service.ledger.states("item") == ["waiting"]


def test_a_value_that_was_moved_or_changed_is_damaged_and_no_other_text() -> None:
    class One:
        are_used = True

        def of_lane(self, lane: str) -> bytes | None:
            return b"k" * 32

        def by_id(self, wanted: bytes) -> bytes | None:
            return b"k" * 32 if wanted == encryption.key_id(b"k" * 32) else None

    sealed = encryption.seal(b"k" * 32, "answer_group:1", b"text")
    assert encryption.unseal_by(One(), "answer_group:1", sealed) == b"text"
    for place, value in (
        ("answer_group:2", sealed),
        ("answer_group:1", sealed[:-1] + b"x"),
        ("answer_group:1", sealed[:20]),
    ):
        with pytest.raises(DamagedGroup):
            encryption.unseal_by(One(), place, value)


def test_try_again_and_follow_keep_what_is_encrypted(service: Service, key_file: Path) -> None:
    service.accept(secret("a", fault="errored:invalid_request_error"))
    service.accept(secret("b"))
    same = secret("b")
    service.accept(same | {"callback": callback("other", kwargs={"word": SECRET}), "if_known": "deliver"})
    service.finish()
    assert service.ledger.states("item") == ["failed", "succeeded", "succeeded"]
    read_command(app, "redo", "--key", "a", "--yes")
    service.finish()
    assert places_with_secret(service) == set()
    assert len(service.queue("other")) == 1
    assert SECRET in str(service.queue("other"))


def test_purge_and_the_others_of_a_group_stay_readable(service: Service, key_file: Path) -> None:
    service.accept(*(secret(f"k{n}") for n in range(20)))
    service.finish()
    read_command(app, "purge", "--key", "k3", "--yes")
    assert SECRET in (answer(service, "k4") or "")
    assert answer(service, "k3") is None
    assert places_with_secret(service) == set()


@pytest.mark.parametrize("given", ["x", "", base64.b64encode(b"short").decode()], ids=["no base64", "empty", "short"])
def test_what_is_no_key_is_said_without_a_word_of_it(service: Service, key_file: Path, given: str) -> None:
    write(key_file, given)
    service.restart()
    with pytest.raises(BadSettings) as caught:
        keys_named("main")
    assert not given or given not in str(caught.value).replace(str(key_file), "").split()
    assert ConfiguredKeys().are_used


def test_cut_or_sent_in_real_time_nothing_is_readable_either(service: Service, key_file: Path) -> None:
    use(service, key_file, max_input_tokens=2_000, when_longer="cut")
    long = f"{SECRET} is told of at length. " * 1_000
    service.accept(secret("cut", params=params(long), cuttable="messages.0.content"))
    service.finish()
    use(service, key_file, road="direct")
    service.accept(secret("now"))
    service.finish()
    assert [row["via"] for row in service.ledger.fetch_all("SELECT via FROM whole_outcome ORDER BY item_id")] == [
        "batch",
        "direct",
    ]
    assert service.ledger.fetch_one("SELECT cut_to_tokens FROM request ORDER BY item_id LIMIT 1")["cut_to_tokens"]
    assert places_with_secret(service) == set()
    assert str(service.queue()).count(SECRET) >= 2


def test_what_retention_carries_out_of_groups_is_encrypted_in_its_row(service: Service, key_file: Path) -> None:
    service.accept(*(secret(f"k{n}") for n in range(20)))
    service.round()
    with process.database().transaction() as connection:
        ids = [row["id"] for row in service.ledger.fetch_all("SELECT id FROM item")]
        assert retention.carry(connection, ids) is None
    assert places_with_secret(service) == set()
    assert SECRET in (answer(service, "k7") or "")
