"""Purging: what a tenant has said is found nowhere afterwards, comes back by no way, and its money stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import redis
from typer.testing import CliRunner

from overnight_models import routes
from overnight_models.ledger.answer import Asked, locate
from overnight_models.ledger.operators import actions
from overnight_models.ledger.retention import bodies
from overnight_models.request.prefix import Prefix
from overnight_models.wire.message import Line, write_items
from overnight_producers.wire import envelope
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.operators import acting
from overnight_workers.stages import api_deletions
from overnight_workers.stages.accept.accept import accept
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests import finding
from tests.driving import Service, callback, item, params, put_prefix, read_command

SECRET = "pl4nt3d-of-acme"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
Json = dict[str, Any]


def purge(*words: str, exit_code: int = 0) -> Json:
    """What `overnight purge` says in JSON."""
    done = CliRunner().invoke(app, ["purge", *words, "--yes", "--json"])
    assert done.exit_code == exit_code, f"{done.output} {done.exception!r}"
    said: Json = json.loads(done.output)
    return said


def record() -> Json:
    """What is kept of the last action."""
    newest: Json = json.loads(read_command(app, "actions", "--json").splitlines()[0])
    return newest


def theirs(key: str, **more: Any) -> Json:
    """An item of the tenant, with a text of theirs wherever one may stand."""
    said: Json = {
        "tenant": "acme",
        "trace_id": f"{SECRET}-trace",
        "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
        "callback": callback(args=[f"{SECRET}-argument"], kwargs={"name": f"{SECRET}-word"}),
    }
    return item(f"{SECRET}-{key}", f"{SECRET} asks about {key}", **(said | more))


def found(service: Service) -> set[str]:
    return finding.in_tables(service.database_url, SECRET) | finding.in_tables(service.database_url, TRACE)


def money(service: Service) -> list[Json]:
    return service.ledger.fetch_all(
        "SELECT item_id, cost_nano, realtime_nano, input_tokens, output_tokens FROM bill ORDER BY item_id"
    )


def deleted_at_the_api(service: Service) -> list[bool]:
    batches = service.api.http.get("/sandbox/batches").json()["data"]
    return [batch["deleted"] for batch in batches if batch["workspace"] == service.api.workspace]


def test_their_texts_are_everywhere_before_and_nowhere_afterwards_and_the_money_stays(service: Service) -> None:
    prefix = Prefix.of({"system": f"{SECRET} is their contract. " * 200})
    service.accept(theirs("a", prefix=put_prefix(service, prefix)), theirs("b", fault="errored:invalid_request_error"))
    service.finish()
    service.accept(theirs("c"), item("ours", tenant="other", callback=callback()))
    # of a conflict the key is told, and who canceled what is kept
    service.accept(theirs("c", params=params("something else")))
    read_command(app, "cancel", f"{SECRET}-c", "--dry-run")
    service.finish()
    before = found(service)
    assert {
        "request_from_0.params",
        "request_from_0.key",
        "request_from_0.callback",
        "request_from_0.trace_id",
    } <= before
    assert {"prefix.document", "inbox.verdict", "outcome_from_0.message"} <= before
    bill = money(service)
    api_ids = [row["api_id"] for row in service.ledger.fetch_all("SELECT api_id FROM submission ORDER BY id")]
    bodies_at_the_api = service.sandbox.data_dir / "bodies"
    assert f"{api_ids[0]}.json" in finding.in_files(bodies_at_the_api, SECRET)
    with redis.Redis.from_url(service.redis_url) as client:
        client.delete("shop")  # delivered: the product has taken them

    said = purge("--tenant", "acme", "--reason", "they left")
    assert (said["items"], said["purged"], said["kept"]) == (3, 3, 0)
    sweep()  # the workers delete at the API, as often as they keep house
    api_deletions.delete_batches()

    assert found(service) == set()
    assert finding.in_redis(service.redis_url, SECRET) == set()
    assert f"{api_ids[0]}.json" not in finding.in_files(bodies_at_the_api, SECRET)
    assert money(service) == bill
    assert service.ledger.item("ours")["message"] is not None
    kept = record()
    assert (kept["name"], kept["wish"], kept["done"], kept["reason"]) == ("purge", {"tenant": "acme"}, 3, "they left")
    assert kept["removed"]["requests"] == 3
    assert (kept["removed"]["answers"], kept["removed"]["deliveries"], kept["removed"]["prefixes"]) == (2, 3, 1)
    assert purge("--tenant", "acme")["purged_before"] == 3


def test_a_batch_that_others_share_stays_at_the_api_unless_it_is_said(service: Service) -> None:
    service.accept(theirs("a"), item("ours", tenant="other"))
    service.finish()
    purge("--tenant", "acme")
    api_deletions.delete_batches()
    assert deleted_at_the_api(service) == [False]
    service.accept(theirs("b"), item("more of ours", tenant="other"))
    service.finish()
    purge("--tenant", "acme", "--shared-batches")
    api_deletions.delete_batches()
    assert sorted(deleted_at_the_api(service)) == [False, True]


def test_what_an_earlier_try_was_sent_in_goes_with_shared_batches(service: Service) -> None:
    service.accept(theirs("a", fault="expired:1"))
    service.finish()
    service.accept(item("ours", tenant="other"))
    service.finish()
    assert len(deleted_at_the_api(service)) == 3
    purge("--tenant", "acme")
    api_deletions.delete_batches()
    assert sorted(deleted_at_the_api(service)) == [False, False, True], "which items left a batch, nobody noted"
    service.accept(theirs("b", fault="expired:1"))
    service.finish()
    purge("--tenant", "acme", "--shared-batches")
    api_deletions.delete_batches()
    assert len(deleted_at_the_api(service)) == 5
    assert deleted_at_the_api(service).count(True) == 3, "both of the second"


def test_what_is_on_its_way_is_kept_and_says_why(service: Service, apart: None) -> None:
    service.accept(theirs("at the api"))
    pack()
    submit()
    service.accept(theirs("waits"))
    said = purge("--tenant", "acme", "--dry-run", exit_code=1)
    assert (said["items"], said["kept"]) == (0, 2)
    assert said["kept_why"] == {"unsent": 1, "at the API": 1}
    poll()
    collect()
    said = purge("--tenant", "acme", "--dry-run", exit_code=1)
    assert said["kept_why"] == {"unsent": 1, "undelivered": 1}
    text = CliRunner().invoke(app, ["purge", "--tenant", "acme", "--dry-run"]).output
    assert "kept: 1 item whose outcome isn't delivered" in text
    assert "--cancel takes back what is on its way" in text
    assert "request_from_0.params" in found(service)


def test_canceled_first_it_goes_wherever_it_is_and_a_late_answer_is_billed_and_dropped(
    service: Service, apart: None
) -> None:
    service.accept(theirs("collected"))
    service.round()
    service.accept(theirs("at the api"), item("ours"))
    pack()
    submit()
    service.accept(theirs("packed"))
    pack()
    service.accept(theirs("waits"))
    said = purge("--tenant", "acme", "--cancel")
    assert (said["items"], said["purged"], said["kept"]) == (4, 4, 0)
    assert found(service) == set()
    service.finish()
    assert found(service) == set(), "an answer of a purged item isn't kept"
    assert len(money(service)) == 3, "what was sent is billed"
    assert service.api.meter()["requests"] == 3, "what wasn't is not sent"
    assert service.ledger.item("ours")["message"] is not None
    assert [row["state"] for row in service.ledger.fetch_all("SELECT state FROM every_delivery")] == []
    tally = "SELECT state, sum(n)::int AS n FROM tally WHERE noun = 'delivery' GROUP BY state HAVING sum(n) <> 0"
    assert service.ledger.fetch_all(tally) == []
    api_deletions.delete_batches()
    assert sorted(deleted_at_the_api(service)) == [False, True], "each when all of it is purged and recorded"


def test_a_message_that_comes_again_brings_nothing_back(service: Service) -> None:
    again, message_id = theirs("a"), str(uuid4())
    service.accept(again, message_id=message_id)
    service.finish()
    purge("--tenant", "acme")
    service.accept(again, message_id=message_id)
    assert service.accept(again)["known"] == 1, "sent anew by its producer, who has lost the receipt"
    assert service.accept(again | {"if_known": "deliver"}) == {"accepted": 0, "known": 1, "rejected": []}
    assert service.accept(again | {"if_known": "redo"})["known"] == 1
    assert found(service) == set()
    with process.database().transaction() as connection:
        assert locate(connection, Asked("default", again["key"])).item_id is not None


def test_with_its_key_forgotten_the_same_is_another_item(service: Service) -> None:
    service.accept(theirs("a"))
    service.finish()
    purge("--tenant", "acme", "--keys")
    assert service.ledger.fetch_all("SELECT FROM item_key") == []
    assert service.accept(theirs("a"))["accepted"] == 1


def test_what_failed_and_was_purged_is_tried_again_with_another_content_by_its_key(service: Service) -> None:
    service.accept(theirs("a", fault="errored:invalid_request_error"))
    service.finish()
    purge("--tenant", "acme")
    new = theirs("a", params=params("Something harmless"), if_known="redo")
    assert service.accept(new)["accepted"] == 1
    service.finish()
    with process.database().transaction() as connection:
        standing = locate(connection, Asked("default", new["key"]))
    assert service.ledger.item(new["key"])["id"] == standing.item_id
    assert service.ledger.item(new["key"])["state"] == "succeeded"


def test_a_key_goes_with_all_its_tries_and_followers_and_stands_in_no_record(service: Service) -> None:
    service.accept(theirs("a", fault="errored:invalid_request_error"), theirs("b"))
    service.finish()
    read_command(app, "redo", f"{SECRET}-a", "--yes")
    service.finish()
    first = theirs("b")
    service.accept(first | {"trace_id": "another", "if_known": "deliver"})
    service.finish()
    assert purge("--key", f"{SECRET}-a")["purged"] == 2
    assert purge("--key", f"{SECRET}-b")["purged"] == 2
    assert {row.partition(".")[0] for row in found(service)} == set()
    assert record()["wish"].keys() == {"ids", "key_hash"}


@pytest.mark.parametrize("cancel", [False, True])
def test_what_waits_in_redis_to_be_accepted(service: Service, cancel: bool) -> None:
    lines = [theirs("a" * 300), item("ours"), theirs("b")]
    written = write_items([Line(n, json.dumps(line).encode(), None) for n, line in enumerate(lines)])
    message_id = str(uuid4())
    message = {"v": 1, "message_id": message_id, "lane": "default", "run": None, **written}
    with redis.Redis.from_url(service.redis_url) as client:
        client.lpush(routes.ACCEPT, envelope(routes.ACCEPT, message, shown="three"))
    if not cancel:
        assert purge("--tenant", "acme", exit_code=1)["kept_why"] == {"not accepted": 2}
        return
    said = purge("--tenant", "acme", "--cancel")
    assert (said["not_accepted"], said["kept"]) == (2, 0)
    assert finding.in_redis(service.redis_url, SECRET) == set()
    assert record()["removed"] == {"not accepted": 2}
    with redis.Redis.from_url(service.redis_url) as client:
        (raw,) = client.lrange(routes.ACCEPT, 0, -1)
    arguments = json.loads(json.loads(raw)["body"])[1]
    accept(**arguments)
    verdict = service.ledger.verdict(message_id)
    assert verdict["accepted"] == 1
    assert [(fault["index"], fault["why"]) for fault in verdict["rejected"]] == [
        (0, "it was purged before it was accepted"),
        (2, "it was purged before it was accepted"),
    ]


def test_a_copy_that_retention_makes_meanwhile_brings_nothing_back(service: Service) -> None:
    service.accept(theirs("a"))
    service.finish()
    with process.database().transaction() as connection:
        connection.exec_driver_sql("INSERT INTO kept (first_item, looked_at) VALUES (0, now())")
        now = service.ledger.fetch_one("SELECT now() AS now")["now"]
        bodies.begin(connection, 0, now)
    with process.database().transaction() as connection:
        view = bodies.copying(connection)
        assert view is not None
        bodies.go_on(connection, view, now)
    try:
        assert any(column.startswith("request_copy_0") for column in found(service))
        purge("--tenant", "acme")
        assert found(service) == set()
    finally:
        service.ledger.execute("DROP TABLE request_copy_0, outcome_copy_0")


def test_a_lane_deletes_its_batches_at_the_api_some_time_after_all_is_delivered(service: Service, apart: None) -> None:
    service.configure(lane={"delete_batches": "7d"})
    service.accept(item("a", callback=callback()))
    service.round()
    service.ledger.execute("UPDATE submission SET ended_at = ended_at - interval '8 days'")
    assert api_deletions.delete_batches() == 0, "it isn't delivered"
    deliver()
    service.api.fault("delete", "status", status=529)
    assert api_deletions.delete_batches() == 0, "the API wouldn't"
    service.api.faults_are_over()
    assert api_deletions.delete_batches() == 0, "it is asked again later"
    service.ledger.execute("UPDATE submission SET delete_at = now()")
    assert api_deletions.delete_batches() == 1
    assert deleted_at_the_api(service) == [True]
    assert service.ledger.fetch_one("SELECT deleted_at IS NOT NULL AS is_deleted FROM submission")["is_deleted"]
    assert api_deletions.delete_batches() == 0


def test_nobody_of_that_name_is_said(service: Service) -> None:
    service.accept(item("a", tenant="other"))
    done = CliRunner().invoke(app, ["purge", "--tenant", "acme", "--yes"])
    assert "there is no tenant 'acme': there are other" in str(done.exception)
    assert "Narrow it down" in str(CliRunner().invoke(app, ["purge", "--yes"]).exception)


def test_of_a_group_of_requests_only_what_is_purged_goes(service: Service) -> None:
    keys = ("a", "b")
    service.accept(*(theirs(key, params=params(f"{SECRET}-text-of-{key} " * 100)) for key in keys))
    of_a, of_b = (
        finding.in_tables(service.database_url, f"{SECRET}-text-of-{key}") - {"inbox.verdict"} for key in keys
    )
    assert of_a == of_b == {"request_group_from_0.packed"}
    assert purge("--key", f"{SECRET}-a", "--cancel")["purged"] == 1
    assert finding.in_tables(service.database_url, f"{SECRET}-text-of-a") == set()
    service.finish()
    assert service.ledger.item(f"{SECRET}-b")["state"] == "succeeded"
    assert purge("--tenant", "acme", "--cancel")["purged"] == 1
    assert found(service) == set()


def test_rows_of_a_catalog_go_when_their_run_is_over_and_their_memory_with_the_keys(service: Service) -> None:
    row, other = bytes(range(16)), bytes([0, *range(20, 35)])
    service.accept(item(f"catalog/shop/{row.hex()}/-/{'0' * 16}", tenant="acme"), run="shop-1")
    service.finish()
    document = {"rows": 7, "drawn": [{"key": [SECRET]}], "problems": [{"cause": "c", "said": SECRET, "examples": [1]}]}
    for statement, *values in (
        ("INSERT INTO catalog (name) VALUES (%s)", "shop"),
        (
            (
                "INSERT INTO catalog_run (catalog_id, number, state, path, declaration, wish)"
                " SELECT id, 1, 'publishing', '', '', '{}' FROM catalog"
            ),
        ),
        (
            "INSERT INTO catalog_report (run_id, before, document) SELECT id, %s, %s FROM catalog_run",
            json.dumps([SECRET]),
            json.dumps(document),
        ),
        (
            (
                "INSERT INTO catalog_unsent (run_id, entry, key, cause, detail)"
                " SELECT id, %s, %s, 'cell', %s FROM catalog_run"
            ),
            row,
            json.dumps([SECRET]),
            SECRET,
        ),
        (
            "INSERT INTO catalog_memory (catalog_id, part, entries) SELECT id, 0, %s FROM catalog",
            row + bytes(23) + other + bytes(23),
        ),
    ):
        service.ledger.execute(statement, *values)
    assert purge("--tenant", "acme", "--cancel", exit_code=1)["kept_why"] == {"in a run": 1}
    service.ledger.execute("UPDATE catalog_run SET state = 'complete', ended_at = now()")
    assert purge("--tenant", "acme", "--keys")["purged"] == 1
    assert found(service) == set()
    kept = json.loads(service.ledger.fetch_one("SELECT document FROM catalog_report")["document"])
    assert (kept["rows"], kept["problems"]) == (7, [{"cause": "c", "said": "", "examples": []}])
    assert bytes(service.ledger.fetch_one("SELECT entries FROM catalog_memory")["entries"]) == other + bytes(23)
    assert record()["removed"]["catalog rows"] == 1


def test_what_it_says_is_its_own_also_where_somebody_else_acts_meanwhile(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.accept(theirs("a"))
    service.finish()
    real = acting.finish

    def finish(action_id: int, seen: Callable[[int], None]) -> actions.Step:
        step = real(action_id, seen)
        with process.database().transaction() as connection:
            actions.note(connection, "pause", {"lane": "default"}, actions.By("somebody else"), items=7)
        return step

    monkeypatch.setattr(acting, "finish", finish)
    said = read_command(app, "purge", "--tenant", "acme", "--yes")
    assert "1 item is purged: 1 requests" in said
