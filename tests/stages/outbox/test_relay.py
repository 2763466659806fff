"""A relay takes on what was committed, exactly once, and puts aside what can't be taken."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from typer.testing import CliRunner

from overnight_models import crash_points
from overnight_models.errors import PermanentError
from overnight_models.ledger.operators.actions import By
from overnight_models.ledger.relays.inbox import InboxUnusable
from overnight_models.wire.inbox import InboxRow, InboxTable, insert_statement
from overnight_producers import Item, Overnight, Rejected, task
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.cli.up import relays_here
from overnight_workers.configuration.relay_settings import RelaySettings
from overnight_workers.flower_tab.acts import known_act
from overnight_workers.flower_tab.metrics import metrics
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.relay.relay import Relay
from tests.driving import Service, params, read_command
from tests.ports import free_port
from tests.stages.outbox.conftest import keys, left, printed
from tests.stages.product.conftest import answering
from tests.waiting import wait_until


def put(shop: str, row: InboxRow) -> None:
    """A row as anybody may write it."""
    with psycopg.connect(shop) as connection:
        connection.execute(insert_statement(InboxTable(), "%({})s").encode(), row._asdict())


def foreign(items: str, **more: Any) -> InboxRow:
    return InboxRow(str(uuid4()), 1, "default", None, None, items, 1)._replace(**more)


def test_what_was_committed_is_in_the_ledger_in_its_order_and_confirmed(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    receipts = []
    for n in range(30):
        with psycopg.connect(shop) as connection:
            receipts.append(overnight.enqueue(params(str(n)), key=f"{n:02}", session=connection))
            if n % 3 == 0:
                connection.rollback()
    assert relay.turn() == 20
    assert keys(service) == [f"{n:02}" for n in range(30) if n % 3]
    assert left(shop) == []
    with answering(service.redis_url):
        assert overnight.confirm(receipts[1]).accepted == 1
    assert relay.turn() == 0


def test_it_goes_the_whole_way_to_its_callback(shop: str, service: Service, overnight: Overnight, relay: Relay) -> None:
    with psycopg.connect(shop) as connection:
        overnight.enqueue(params(), key="a", callback=task("shop.save", queue="shop"), session=connection)
    relay.turn()
    service.finish()
    assert len(service.queue()) == 1


def test_what_another_relay_has_in_hand_is_passed_over(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    with psycopg.connect(shop) as connection:
        for key in "ab":
            overnight.enqueue(params(key), key=key, session=connection)
    with psycopg.connect(shop) as other:
        other.execute("SELECT FROM overnight_inbox ORDER BY id LIMIT 1 FOR UPDATE")
        assert relay.turn() == 1
        assert keys(service) == ["b"]
    assert relay.turn() == 1
    assert keys(service) == ["b", "a"]


def test_a_turn_takes_no_more_than_it_can_hold(shop: str, service: Service, overnight: Overnight, relay: Relay) -> None:
    with psycopg.connect(shop) as connection:
        overnight.enqueue_many((Item(params=params(str(n))) for n in range(12_000)), session=connection)
    assert [relay.turn(), relay.turn(), relay.turn()] == [10, 10, 4]


# --- what can't be taken ----------------------------------------------------------------------------------------------


def test_a_bad_message_is_put_aside_with_its_reason_and_stands_in_nobodys_way(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    put(shop, foreign("no JSON"))
    put(shop, foreign("{}", encoding="rot13"))
    put(shop, foreign("{}", v=9))
    put(shop, foreign("{}", lane="nowhere"))
    with psycopg.connect(shop) as connection:
        overnight.enqueue(params(), key="good", session=connection)
    assert relay.turn() == 5
    assert keys(service) == ["good"]
    errors = [row["error"] for row in left(shop)]
    for error, word in zip(errors, ["not an item", "rot13", "version 9", "no lane 'nowhere'"], strict=True):
        assert word in error
    assert relay.turn() == 0


def test_of_a_message_that_is_turned_down_in_part_the_rest_is_in_and_its_row_says_which(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    service.accept({"id": str(uuid4()), "key": "b", "params": params("other")})
    with psycopg.connect(shop) as connection:
        sent = overnight.enqueue_many([Item(params=params(key), key=key) for key in "abc"], session=connection)
    assert relay.turn() == 1
    (row,) = left(shop)
    assert row["error"].startswith("1 rejected (2 others of it are in): item 1 'b': ")
    with answering(service.redis_url):
        assert [rejected.index for rejected in overnight.confirm(sent).rejected] == [1]


def test_a_message_that_ends_its_relay_again_and_again_is_put_aside_and_no_other(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    class Dies(BaseException):
        """As by kill -9."""

    with psycopg.connect(shop) as connection:
        for key in ("a", "poison", "b"):
            overnight.enqueue(params(key), key=key, session=connection)
    deaths = 0

    def die(what: str) -> None:
        """Whenever another try of the poison was counted, and before it is parsed."""
        begun = service.ledger.fetch_all("SELECT message_id, tries FROM inbox WHERE verdict IS NULL")
        tries = {str(row["message_id"]): row["tries"] for row in begun}
        if what == "after commit" and deaths < tries.get(poison, 0) <= 5:
            raise Dies

    poison = str(left(shop)[1]["message_id"])
    crash_points.armed = die
    try:
        while True:
            try:
                relay.turn()
                break
            except Dies:
                deaths += 1
                assert deaths < 10
    finally:
        crash_points.armed = None
    assert deaths == 5
    assert [row["error"] for row in left(shop)] == [
        "1 rejected: item 0: its message failed 5 times; see the workers' log"
    ]
    assert keys(service) == ["a", "b"]


def test_without_its_table_or_its_right_it_says_what_to_do(
    empty_shop: str, service: Service, overnight: Overnight
) -> None:
    relay = Relay("shop", RelaySettings(database_url=empty_shop))
    with pytest.raises(InboxUnusable, match="overnight inbox sql"):
        relay.turn()
    role = f"relay_{empty_shop[-8:]}"
    with psycopg.connect(empty_shop, autocommit=True) as admin:
        admin.execute(printed("sql").encode())
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'r'".encode())
        url = f"postgresql://{role}:r@{empty_shop.rpartition('@')[2]}"
        limited = Relay("shop", RelaySettings(database_url=url))
        with pytest.raises(InboxUnusable, match="--grant-relay ROLE"):
            limited.turn()
        admin.execute(printed("sql", "--grant-relay", role).encode())
        with psycopg.connect(empty_shop) as connection:
            overnight.enqueue(params(), session=connection)
        assert limited.turn() == 1
        limited.tell()
        limited.close()
        relay.close()
        admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


def test_while_the_ledger_is_away_everything_stays_and_nothing_is_counted(
    shop: str, service: Service, overnight: Overnight, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    from overnight_models.errors import TransientError
    from overnight_workers import held
    from overnight_workers.settings import settings

    with psycopg.connect(shop) as connection:
        overnight.enqueue(params(), key="a", session=connection)
    monkeypatch.setenv("OVERNIGHT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    held.close()
    settings.cache_clear()
    with pytest.raises(TransientError):
        relay.turn()
    monkeypatch.setenv("OVERNIGHT_DATABASE_URL", service.database_url)
    service.restart()
    assert [row["error"] for row in left(shop)] == [None]
    assert relay.turn() == 1


def test_it_runs_until_it_is_stopped_and_goes_on_after_failures(
    empty_shop: str, service: Service, overnight: Overnight
) -> None:
    said: list[str] = []
    relay, stop = Relay("shop", RelaySettings(database_url=empty_shop, poll_every=0.01)), threading.Event()
    thread = threading.Thread(target=relay.run, args=(stop, said.append))
    thread.start()
    try:
        wait_until(lambda: said and "overnight inbox sql" in said[0])
        with psycopg.connect(empty_shop) as connection:
            connection.execute(printed("sql").encode())
            overnight.enqueue(params(), key="a", session=connection)
        wait_until(lambda: keys(service) == ["a"])
        wait_until(lambda: said[1:] == ["relay shop: it goes on"])
    finally:
        stop.set()
        thread.join()
        relay.close()


def test_rejected_is_said_to_whoever_confirms(shop: str, service: Service, overnight: Overnight, relay: Relay) -> None:
    service.accept({"id": str(uuid4()), "key": "a", "params": params("other")})
    with psycopg.connect(shop) as connection:
        receipt = overnight.enqueue(params(), key="a", session=connection)
    relay.turn()
    with answering(service.redis_url), pytest.raises(Rejected):
        overnight.confirm(receipt)


# --- what people see --------------------------------------------------------------------------------------------------


@pytest.fixture
def configured(shop: str, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERNIGHT_RELAYS", json.dumps({"shop": {"database_url": shop}}))
    service.restart()


@pytest.mark.usefixtures("configured")
def test_what_was_put_aside_is_shown_and_taken_on_again_when_its_cause_is_mended(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    with psycopg.connect(shop) as connection:
        receipt = overnight.enqueue(params(), lane="new", key="a", session=connection)
    relay.turn()
    relay.tell(at_once=True)
    assert "there is no lane 'new'" in read_command(app, "inbox", "aside", "shop")
    assert json.loads(read_command(app, "inbox", "aside", "--json"))["message_id"] == receipt.message_id
    said = CliRunner().invoke(app, ["doctor"]).output
    assert "relay shop: 0 messages in its inbox, 1 message put aside; 1 item taken on so far" in " ".join(said.split())
    assert "messages put aside: Relay shop: a message was put aside, the last: 1 rejected" in " ".join(said.split())
    service.configure(lanes={"new": {}})
    assert read_command(app, "inbox", "retry") == "1 message is taken on again\n"
    relay.turn()
    with answering(service.redis_url):
        assert overnight.confirm(receipt).accepted == 1
    assert (left(shop), read_command(app, "inbox", "aside")) == ([], "Nothing was put aside.\n")


@pytest.mark.usefixtures("configured")
def test_on_its_page_what_was_put_aside_is_counted_first_and_taken_on_again_by_name(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    act, said = known_act("retry_put_aside"), {"relay": "shop"}
    assert act.propose(said).is_possible is False
    sent = [f"{number:03}" for number in range(101)]  # more than `inbox aside` shows
    with psycopg.connect(shop) as connection:
        for key in sent:
            overnight.enqueue(params(), lane="new", key=key, session=connection)
    relay.turn()
    proposal = act.propose(said)
    assert "101 messages were put aside, with 101 items; the last: 1 rejected" in proposal.text
    service.configure(lanes={"new": {}})
    assert act.perform(said, By("ann", via="flower", reason="mended")).text == "101 messages are taken on again"
    relay.turn()
    assert (left(shop), keys(service)) == ([], sent)
    row = service.ledger.fetch_one("SELECT name, actor, reason, wish FROM action")
    assert (row["name"], row["actor"], row["reason"]) == ("retry put aside", "ann", "mended")
    assert json.loads(row["wish"]) == {"relay": "shop", "messages": 101}


def test_a_product_database_that_is_away_is_named_and_not_taken_for_the_ledger(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = {"shop": {"database_url": f"postgresql://x@127.0.0.1:{free_port()}/x"}}
    monkeypatch.setenv("OVERNIGHT_RELAYS", json.dumps(away))
    service.restart()
    with pytest.raises(PermanentError, match=r"the database of relay shop can't be read from here.*inbox retry shop"):
        known_act("retry_put_aside").propose({"relay": "shop"})
    with pytest.raises(PermanentError, match=r"there is no \[relays.till\]: the configuration has shop"):
        known_act("retry_put_aside").propose({"relay": "till"})


@pytest.mark.usefixtures("configured")
def test_what_was_put_aside_may_be_given_up(shop: str, service: Service, overnight: Overnight, relay: Relay) -> None:
    for _ in range(2):
        put(shop, foreign("no JSON"))
    relay.turn()
    first = left(shop)[0]["id"]
    assert read_command(app, "inbox", "drop", "shop", "--yes", "--id", str(first)) == "1 message is deleted\n"
    assert read_command(app, "inbox", "drop", "shop", "--yes") == "1 message is deleted\n"
    assert left(shop) == []


def test_a_relay_that_is_not_in_the_configuration_says_what_is(service: Service, shop: str) -> None:
    done = CliRunner().invoke(app, ["relay"])
    assert "[relays.NAME]" in str(done.exception)


def test_how_it_stands_is_in_the_metrics(shop: str, service: Service, overnight: Overnight, relay: Relay) -> None:
    with psycopg.connect(shop) as connection:
        overnight.enqueue_many([Item(params=params(str(n))) for n in range(3)], session=connection)
    relay.tell()
    (seen,) = take_snapshot(process.database()).troubles.relays
    assert (seen.name, seen.waiting, seen.oldest_s > 0, seen.items) == ("shop", 1, True, 0)
    relay.turn()
    relay.tell(at_once=True)
    families = {family.name: family for family in metrics(take_snapshot(process.database()))}
    assert [sample.value for sample in families["overnight_relay_items"].samples] == [3]
    assert [sample.value for sample in families["overnight_relay_messages"].samples] == [0, 0]


def test_an_inbox_in_a_schema_of_its_own_in_the_ledgers_database_is_taken_on_too(
    service: Service, overnight: Overnight
) -> None:
    with psycopg.connect(service.database_url, autocommit=True) as admin:
        admin.execute(printed("sql", "--schema", "overnight_in").encode())
        try:
            inside = Overnight(service.redis_url, inbox="overnight_in.overnight_inbox")
            with admin.transaction():
                inside.enqueue(params(), key="a", session=admin)
            settings_of = RelaySettings(database_url=service.database_url, inbox="overnight_in.overnight_inbox")
            relay = Relay("own", settings_of)
            assert (relay.turn(), relay.turn()) == (1, 0)
            relay.close()
            inside.close()
            assert keys(service) == ["a"]
        finally:
            admin.execute("DROP SCHEMA overnight_in CASCADE")


@pytest.mark.parametrize(
    ("file", "variable", "names"),
    [
        ("", "", []),
        ('[relays.shop]\ndatabase_url = "postgresql://shop"', "", ["shop"]),
        ("", '{"crm": {"database_url": "postgresql://crm"}}', ["crm"]),
        ('[relays.shop]\ndatabase_url = "postgresql://shop"', '{"crm": {}}', ["crm", "shop"]),
        ("", "no JSON", []),
    ],
)
def test_up_starts_the_relays_of_the_configuration(
    file: str, variable: str, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "overnight.toml").write_text(file)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OVERNIGHT_CONFIG", raising=False)
    monkeypatch.setenv("OVERNIGHT_RELAYS", variable)
    assert relays_here() == names
