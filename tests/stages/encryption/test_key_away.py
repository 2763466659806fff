"""A key is away for a while: what is asked for says so and can be asked again, what is paid is kept, others go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from overnight_models import routes
from overnight_models.errors import TransientError
from overnight_models.ledger.bodies import encryption
from overnight_models.ledger.bodies.encryption import NoKey
from overnight_models.ledger.operators import item_views
from overnight_producers import KeyMissing, NotConfirmed, Overnight, Rejected
from overnight_workers import process
from overnight_workers.anthropic_api.realtime import Reply
from overnight_workers.cli import app
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.settings import settings
from overnight_workers.stages import rescue
from overnight_workers.stages.accept.accept import accept
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.direct.recording import Done
from overnight_workers.stages.direct.turns import Turns
from tests.driving import Service, callback, item, params, read_command
from tests.stages.encryption.keys import SECRET, message_saying, new_key, places_with_secret, secret, write
from tests.stages.product.conftest import answering, messages

Json = dict[str, Any]


@pytest.fixture
def key_file(service: Service, tmp_path: Path) -> Path:
    """A file with one key; the default lane encrypts by it, the other one doesn't."""
    write(tmp_path / "keys", new_key())
    use(service, tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def product(service: Service) -> Iterator[Overnight]:
    """Its questions are answered."""
    with answering(service.redis_url), Overnight(service.redis_url) as overnight:
        yield overnight


def use(service: Service, path: Path, **lane: Any) -> None:
    service.configure(
        lane={"encrypt": "main"} | lane,
        lanes={"other": {"max_wait": "0s"}},
        encryption={"main": {"keys": f"file:{path}"}},
    )


def failing() -> list[tuple[str, str]]:
    """What *stage failing* says, and what is to be done."""
    on = take_snapshot(process.database()).alarms(settings())
    return [(alarm.text, alarm.do) for alarm in on if alarm.kind == "stage failing"]


def test_an_outcome_whose_key_is_away_is_an_error_of_its_own_and_there_again_with_the_key(
    service: Service, key_file: Path, product: Overnight
) -> None:
    own = key_file.read_text().strip()
    service.accept(secret("a"), *(secret(f"k{n}") for n in range(20)), run="night")
    service.accept(secret("failed", fault="errored:invalid_request_error"))
    service.finish()
    write(key_file, new_key())
    service.restart()
    for ask in (
        lambda: product.outcome(key="a"),
        lambda: product.outcome(key="failed"),
        lambda: list(product.outcomes(run="night")),
    ):
        with pytest.raises(KeyMissing, match=r"no \[encryption.NAME\] has here.*nothing is lost") as away:
            ask()
        assert isinstance(away.value, TransientError)
    printed = CliRunner().invoke(app, ["outcomes", "--run", "night"])
    assert (printed.exit_code, printed.stdout) == (1, "")
    assert "21 outcomes can't be read here and are left out" in printed.stderr
    with process.database().transaction() as connection, pytest.raises(NoKey):
        list(item_views.items(connection, item_views.Wanted(run="night")))
    write(key_file, own)
    service.restart()
    outcome = product.wait(key="a", timeout=60)
    assert outcome.ok
    assert outcome.cost_usd
    assert SECRET in str(outcome.text)
    assert "(it can't be read" not in str((product.outcome(key="failed") or outcome).detail)


def test_why_an_item_was_turned_down_is_encrypted_and_confirmed_when_its_key_is_there(
    service: Service, key_file: Path, product: Overnight
) -> None:
    own = key_file.read_text().strip()
    receipt = product.enqueue(params(), key="a")
    for arguments in messages(service):
        items = orjson.loads(arguments["items"])
        items["params"]["model"] = SECRET
        accept(**arguments | {"items": orjson.dumps(items).decode()})
    assert places_with_secret(service) == set()
    write(key_file, new_key())
    service.restart()
    with pytest.raises(NotConfirmed, match="encryption key"):
        product.confirm(receipt, timeout=0.3)
    with pytest.raises(KeyMissing):
        product.outcome(receipt)
    write(key_file, own)
    service.restart()
    for ask in (product.confirm, product.outcome):
        with pytest.raises(Rejected, match=SECRET):
            ask(receipt)


def test_deliveries_of_a_lane_without_its_key_wait_and_keep_no_others_of_their_queue_waiting(
    service: Service, key_file: Path
) -> None:
    own = key_file.read_text().strip()
    service.accept(secret("a"), secret("failed", fault="errored:invalid_request_error"))
    service.accept(item("b", callback=callback()), lane="other")
    service.round()
    service.ledger.give_rows()
    service.ledger.execute("UPDATE delivery SET state = 'due', tries = 0, due_at = now() - interval '1 s'")
    service.empty()
    write(key_file, new_key())
    service.restart()
    deliver()
    rows = service.ledger.fetch_all("SELECT state, tries FROM delivery WHERE due_at > now() ORDER BY item_id")
    assert [tuple(row.values()) for row in rows] == [("due", 0), ("due", 0), ("delivered", 1)]
    assert len(service.queue()) == 1
    ((text, do),) = failing()
    assert "lane default: NoKey: " in text
    assert "put the encryption key back" in do
    assert "disk" not in do
    write(key_file, own)
    service.restart()
    service.clock.pauses_are_over()
    process.pulse_said_at().clear()
    deliver()
    assert "can't be read" not in str(service.queue())
    assert failing() == [], "the alarm is over with the first success"


def test_a_purge_that_waits_for_a_key_says_that_it_goes_on_and_does(service: Service, key_file: Path) -> None:
    own = key_file.read_text().strip()
    service.accept(*(secret(f"k{n}") for n in range(20)))
    service.finish()
    write(key_file, new_key())
    service.restart()
    said = CliRunner().invoke(app, ["purge", "--key", "k3", "--yes", "--json"])
    assert said.exit_code == 1
    assert orjson.loads(said.stdout)["goes_on"] is True
    assert "Action 1 isn't over: the workers go on with it as soon as they can" in " ".join(said.stderr.split())
    write(key_file, own)
    service.restart()
    service.ledger.execute("UPDATE action SET stepped_at = now() - interval '1 h'")
    rescue.sweep()
    assert "done" in read_command(app, "actions")
    with process.database().transaction() as connection:
        assert {
            row.key: row.message is None for row in item_views.items(connection, item_views.Wanted(final=True))
        } == {
            **{f"k{n}": False for n in range(20) if n != 3},
            "purged:4": True,
        }


def test_a_lane_of_the_direct_road_without_its_key_sends_nothing_that_could_not_be_recorded(
    service: Service, key_file: Path
) -> None:
    use(service, key_file, road="direct")
    service.accept(secret("a"))
    own = key_file.read_text().strip()
    key_file.unlink()
    service.restart()
    encryption_keys_forgotten()
    direct()
    assert service.api.meter()["billed"] == 0
    ((text, _),) = failing()
    assert text.startswith(f"{routes.DIRECT} has failed")
    write(key_file, own)
    direct()
    assert service.ledger.states("item") == ["succeeded"]
    assert failing() == []


def test_a_direct_answer_whose_key_vanishes_during_the_call_is_kept_until_the_key_is_there(
    service: Service, tmp_path: Path
) -> None:
    path = tmp_path / "keys"
    use(service, path, road="direct", encrypt=None)
    service.accept(item("a"))
    turns = Turns()
    (request,) = turns.turn([], 10).requests
    use(service, path, road="direct")  # the lane is told to encrypt, and the key isn't there
    turns.turn([Done(request, Reply(200, True, message_saying(SECRET), whole=True))], 0)
    assert turns.has_unrecorded
    assert service.ledger.fetch_all("SELECT * FROM maybe_billed") == []
    write(path, new_key())
    turns.turn([], 0)
    assert not turns.has_unrecorded
    turns.close()
    row = service.ledger.fetch_one("SELECT ok, cost_nano, message FROM outcome")
    assert (row["ok"], row["cost_nano"] > 0) == (True, True)
    assert encryption.is_sealed_text(row["message"])


def encryption_keys_forgotten() -> None:
    """As in a process that has never read them."""
    from overnight_workers.keys import encryption_keys

    encryption_keys._KEPT.clear()
