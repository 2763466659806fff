"""Webhooks: an outcome reaches its product's endpoint in a signed request, until it is taken or given up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import standardwebhooks
import svix
from typer.testing import CliRunner

from overnight_models import crash_points, exact_json
from overnight_models.ledger.deliver import obstacles
from overnight_producers import verify
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.settings import settings
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.webhooks.webhooks import webhooks
from tests.driving import Service, item, read_command
from tests.endpoints import CLOSED, SECRET, Endpoint, Reply, listening


@pytest.fixture
def shop(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """An endpoint, which the configuration calls `shop`."""
    monkeypatch.setenv("OVERNIGHT_SHOP_SECRET", SECRET)
    with listening() as endpoint:
        service.configure(webhooks={"shop": endpoint.settings()})
        yield endpoint


def to_shop(key: str, **more: Any) -> dict[str, Any]:
    """An item whose outcome goes there."""
    return item(key, callback={"webhook": "shop"} | more)


def answered(service: Service, *keys: str) -> None:
    """These have their outcome, and nobody was told."""
    service.answered(*(to_shop(key) for key in keys))


def look_again(service: Service) -> None:
    """What waits for another try is due, and what stood in the way may be looked at; what failed together stays so."""
    service.ledger.execute("UPDATE delivery SET due_at = due_at - interval '2 hours' WHERE state = 'due'")
    service.ledger.execute("UPDATE obstacle SET not_before = now() WHERE not_before < now() + interval '2 days'")


def states(service: Service) -> list[tuple[str, int, str | None]]:
    """State, tries and error of each delivery."""
    rows = service.ledger.fetch_all("SELECT state, tries, error FROM every_delivery ORDER BY item_id")
    return [(row["state"], row["tries"], row["error"]) for row in rows]


def test_an_outcome_comes_signed_and_is_delivered(service: Service, shop: Endpoint) -> None:
    service.answered(exact_json.dumps(to_shop("a", context={"sku": "A1", "big": 2**70})).decode())
    assert webhooks() == "1 delivered"
    (came,) = shop.came
    (document,) = came.outcomes
    body = verify(came.headers, came.body, SECRET)
    standardwebhooks.Webhook(SECRET).verify(came.body, came.headers)
    svix.Webhook(SECRET).verify(came.body, came.headers)
    assert body["data"][0]["key"] == document["key"] == "a"
    assert came.headers["webhook-id"] == document["delivery_id"]
    assert (document["context"]["sku"], document["ok"]) == ("A1", True)
    assert b"1180591620717411303424" in came.body
    assert "cookie" not in came.headers
    assert states(service) == [("delivered", 1, None)]


def test_celery_deliver_leaves_webhooks_alone_and_rings_for_them(service: Service, shop: Endpoint) -> None:
    answered(service, "a")
    assert deliver() == "0 delivered"
    assert shop.came == []
    assert "overnight.webhooks" in sweep()


def test_both_secrets_sign_while_one_is_replaced(
    service: Service, shop: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "whsec_" + "bmV3IG5ldyBuZXcgbmV3IG5ldyBuZXcgbmV3ISE="
    monkeypatch.setenv("OVERNIGHT_NEXT_SECRET", other)
    service.configure(
        webhooks={"shop": shop.settings(secrets=["env:OVERNIGHT_NEXT_SECRET", "env:OVERNIGHT_SHOP_SECRET"])}
    )
    answered(service, "a")
    webhooks()
    (came,) = shop.came
    for secret in (SECRET, other):
        verify(came.headers, came.body, secret)


def test_what_fails_is_sent_again_with_the_same_id(service: Service, shop: Endpoint) -> None:
    shop.replies.append(Reply(500, b"out of paper"))
    answered(service, "a")
    assert webhooks() == "0 delivered"
    assert states(service) == [("due", 1, "webhook 'shop': HTTP 500: out of paper")]
    look_again(service)
    assert webhooks() == "1 delivered"
    first, second = shop.came
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert service.ledger.fetch_all("SELECT * FROM obstacle") == []


def test_a_group_comes_in_one_request_and_again_as_the_same_group(service: Service, shop: Endpoint) -> None:
    service.configure(webhooks={"shop": shop.settings(group={"items": 3, "within": "0s"}, concurrency=1)})
    shop.replies.append(Reply(500))
    answered(service, *"abcdefg")
    webhooks()
    look_again(service)
    webhooks()
    assert [len(came.keys) for came in shop.came] == [3, 3, 1, 3]
    first, *_, last = shop.came
    assert (first.headers["webhook-id"], first.keys) == (last.headers["webhook-id"], last.keys)
    assert {key for came in shop.came for key in came.keys} == set("abcdefg")
    assert {state for state, _, _ in states(service)} == {"delivered"}


def test_a_group_that_is_not_full_waits_for_others(service: Service, shop: Endpoint) -> None:
    service.configure(webhooks={"shop": shop.settings(group={"items": 3, "within": "30s"})})
    answered(service, *"abcd")
    assert webhooks() == "3 delivered"
    assert [state for state, _, _ in states(service)].count("due") == 1
    service.ledger.execute("UPDATE delivery SET due_at = due_at - interval '31 s' WHERE state = 'due'")
    assert webhooks() == "1 delivered"


def test_what_an_endpoint_took_of_a_group_does_not_come_again(service: Service, shop: Endpoint) -> None:
    service.configure(webhooks={"shop": shop.settings(group={"items": 10, "within": "0s"})})
    answered(service, *"abc")
    ids = {row["key"]: row["receipt"] for row in service.ledger.fetch_all("SELECT key, receipt FROM request")}
    assert len(ids) == 3
    shop.replies.append(Reply(500))
    webhooks()
    by_key = {outcome["key"]: outcome["delivery_id"] for outcome in shop.came[0].outcomes}
    shop.replies.append(Reply(200, b'{"failed": {"%b": "no such sku"}}' % by_key["b"].encode()))
    look_again(service)
    assert webhooks() == "2 delivered"
    assert states(service)[1] == ("due", 2, "webhook 'shop': the endpoint says: no such sku")
    look_again(service)
    assert webhooks() == "1 delivered"
    assert shop.came[-1].keys == ["b"]


def test_an_outcome_that_an_endpoint_chokes_on_ends_up_alone(service: Service, shop: Endpoint) -> None:
    service.configure(webhooks={"shop": shop.settings(group={"items": 4, "within": "0s"}, concurrency=1)})
    answered(service, *"abcd")
    shop.always = Reply(500)
    for _ in range(2):
        webhooks()
        look_again(service)
    shop.replies += [Reply(500), Reply(204)]
    webhooks()
    look_again(service)
    webhooks()
    assert [len(came.keys) for came in shop.came][:4] == [4, 4, 2, 2]
    assert 1 in [len(came.keys) for came in shop.came]


@pytest.mark.parametrize("is_date", [False, True])
def test_retry_after_is_obeyed_and_no_try_is_counted(service: Service, shop: Endpoint, *, is_date: bool) -> None:
    at = datetime.now(UTC) + timedelta(seconds=300)
    after = at.strftime("%a, %d %b %Y %T GMT") if is_date else "300"
    shop.always = Reply(503, headers={"Retry-After": after})
    answered(service, *"abcdef")
    webhooks()
    webhooks()
    assert len(shop.came) <= 4
    assert {(state, tries) for state, tries, _ in states(service)} == {("due", 0)}
    (obstacle,) = service.ledger.fetch_all("SELECT extract(epoch FROM not_before - now()) AS s FROM obstacle")
    assert 200 < obstacle["s"] <= 300


def test_an_endpoint_that_is_gone_is_left_alone_until_somebody_says_so(service: Service, shop: Endpoint) -> None:
    shop.replies.append(Reply(410))
    service.configure(webhooks={"shop": shop.settings(concurrency=1)})
    answered(service, *"ab")
    webhooks()
    look_again(service)
    webhooks()
    assert len(shop.came) == 1
    assert {(state, tries) for state, tries, _ in states(service)} == {("due", 0)}
    with process.database().transaction() as connection:
        assert obstacles.look_again(connection, "webhook:shop")
    assert webhooks() == "2 delivered"


def test_a_redirect_is_a_failure_and_is_not_followed(service: Service, shop: Endpoint) -> None:
    with listening() as elsewhere:
        shop.always = Reply(307, headers={"Location": elsewhere.url})
        answered(service, "a")
        webhooks()
        assert elsewhere.came == []
    ((_, tries, error),) = states(service)
    assert tries == 1
    assert error is not None
    assert "redirects to http://127.0.0.1, which isn't followed" in error


def test_an_endpoint_that_is_away_is_an_obstacle_and_counts_no_try(service: Service, shop: Endpoint) -> None:
    service.configure(webhooks={"shop": shop.settings(url="http://127.0.0.1:1/none")})
    answered(service, *(f"k{number}" for number in range(20)))
    webhooks()
    assert {(state, tries) for state, tries, _ in states(service)} == {("due", 0)}
    (obstacle,) = service.ledger.fetch_all("SELECT broker, why FROM obstacle")
    assert obstacle["broker"] == "webhook:shop"
    assert obstacle["why"].startswith("webhook 'shop' at http://127.0.0.1:1: ConnectError")
    assert webhooks() == "0 delivered"


@pytest.mark.parametrize("trouble", [Reply(after_s=1.5), Reply(CLOSED)], ids=["late", "broken off"])
def test_an_endpoint_that_fails_to_answer_a_third_of_its_requests_is_sent_the_others(
    service: Service, shop: Endpoint, trouble: Reply
) -> None:
    shop.replies.extend([trouble, Reply(), Reply()] * 4)
    service.configure(webhooks={"shop": shop.settings(timeout="700ms", concurrency=1)})
    answered(service, *(f"k{number}" for number in range(12)))
    assert webhooks() == "8 delivered"
    assert sorted((state, tries) for state, tries, _ in states(service))[8:] == [("due", 1)] * 4
    assert service.ledger.fetch_all("SELECT FROM obstacle") == []
    look_again(service)
    assert webhooks() == "4 delivered"


def test_an_endpoint_that_answers_nothing_is_an_obstacle_after_three_requests(service: Service, shop: Endpoint) -> None:
    shop.always = Reply(CLOSED)
    service.configure(webhooks={"shop": shop.settings(concurrency=1)})
    answered(service, *(f"k{number}" for number in range(9)))
    assert webhooks() == "0 delivered"
    assert len(shop.came) == 3
    assert len(service.ledger.fetch_all("SELECT FROM obstacle")) == 1


def test_a_slow_endpoint_delays_no_other(service: Service, shop: Endpoint) -> None:
    with listening() as slow:
        slow.always = Reply(after_s=1.5)
        service.configure(webhooks={"shop": shop.settings(), "slow": slow.settings(concurrency=1)})
        service.answered(item("s", callback={"webhook": "slow"}), *(to_shop(f"k{number}") for number in range(30)))
        assert webhooks() == "31 delivered"
        assert max(came.at for came in shop.came) < slow.came[0].at + 1.2


def test_a_secret_that_is_not_there_stops_nobody_else(
    service: Service, shop: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OVERNIGHT_SHOP_SECRET")
    answered(service, "a")
    assert webhooks() == "0 delivered"
    (obstacle,) = service.ledger.fetch_all("SELECT why FROM obstacle")
    assert obstacle["why"] == "webhook 'shop': env:OVERNIGHT_SHOP_SECRET: the variable isn't set here"
    monkeypatch.setenv("OVERNIGHT_SHOP_SECRET", SECRET)
    look_again(service)
    assert webhooks() == "1 delivered"
    assert service.ledger.fetch_all("SELECT * FROM obstacle") == []


def test_connections_are_kept_and_no_more_requests_are_under_way_than_it_takes(
    service: Service, shop: Endpoint
) -> None:
    shop.always = Reply(after_s=0.02)
    service.configure(webhooks={"shop": shop.settings(concurrency=3)})
    answered(service, *(f"k{number}" for number in range(30)))
    assert webhooks() == "30 delivered"
    assert shop.most_at_once <= 3
    assert len({came.connection for came in shop.came}) <= 3


def test_of_several_workers_together_no_more_requests_are_under_way_than_it_takes(
    service: Service, shop: Endpoint
) -> None:
    shop.always = Reply(after_s=0.02)
    service.configure(webhooks={"shop": shop.settings(concurrency=2)})
    answered(service, *(f"k{number}" for number in range(40)))
    with ThreadPoolExecutor(4) as workers:
        for _ in range(4):
            workers.submit(webhooks)
    assert set(service.ledger.states("delivery")) == {"delivered"}
    assert shop.most_at_once == 2
    assert service.ledger.fetch_all("SELECT 1 FROM target WHERE sender IS NOT NULL") == []


def test_a_worker_that_died_while_it_sent_is_followed_by_another_when_its_time_is_over(
    service: Service, shop: Endpoint
) -> None:
    answered(service, "a")
    dead = "UPDATE target SET sender = gen_random_uuid(), sender_until = now() + make_interval(secs => %s)"
    service.ledger.execute(dead, 20)
    assert webhooks() == "0 delivered"
    service.ledger.execute(dead, 0)
    assert webhooks() == "1 delivered"


def test_hours_that_end_in_the_middle_of_groups_leave_the_others_for_the_next_day(
    service: Service, shop: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(opens_in: timedelta) -> dict[str, Any]:
        opens = datetime.now(UTC) + opens_in
        window = f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M} UTC"
        return {"shop": shop.settings(group={"items": 3, "within": "0s"}, concurrency=1, window=window)}

    def night_falls(point: str) -> None:
        if point == "after webhook":
            monkeypatch.setenv("OVERNIGHT_WEBHOOKS", json.dumps(at(timedelta(hours=2))))
            settings.cache_clear()

    service.configure(webhooks=at(timedelta(minutes=-5)))
    answered(service, *(f"k{number}" for number in range(10)))
    monkeypatch.setattr(crash_points, "armed", night_falls)
    assert webhooks() == "3 delivered"
    assert webhooks() == "0 delivered"
    assert [(state, tries) for state, tries, _ in states(service)].count(("due", 0)) == 7
    monkeypatch.setattr(crash_points, "armed", None)
    service.configure(webhooks=at(timedelta(minutes=-5)))
    assert webhooks() == "7 delivered"
    assert sorted(key for came in shop.came for key in came.keys) == sorted(f"k{number}" for number in range(10))


def test_a_large_answer_goes_by_reference(service: Service, shop: Endpoint) -> None:
    service.configure(webhooks={"shop": shop.settings(group={"items": 10, "within": "0s"})})
    answered(service, *"ab")
    first, answer = min(service.ledger.answers().items())
    longer = json.dumps(json.loads(answer) | {"pad": "x" * 300_000})
    service.ledger.execute("UPDATE outcome SET message = %s WHERE item_id = %s", longer, first)
    webhooks()
    (came,) = shop.came
    large, small = came.outcomes
    assert large["message"] is None
    assert large["claim"]["bytes"] > 300_000
    assert large["usage"]
    assert small["message"] is not None
    assert "claim" not in small
    assert len(came.body) < 20_000


def test_a_dead_delivery_is_replayed_to_its_webhook(service: Service, shop: Endpoint) -> None:
    service.configure(webhooks={"shop": shop.settings(deliver_for="4s")})
    shop.always = Reply(400, b"never")
    answered(service, "a")
    for _ in range(3):
        webhooks()
        look_again(service)
    assert states(service) == [("dead", 2, "webhook 'shop': HTTP 400: never")]
    shop.always = Reply()
    read_command(app, "replay")
    webhooks()
    assert len({came.headers["webhook-id"] for came in shop.came}) == 1
    assert states(service) == [("delivered", 1, None)]


def test_the_command_lists_tests_and_resumes_webhooks(service: Service, shop: Endpoint) -> None:
    answered(service, "a")
    shop.replies.append(Reply(410, b"planted"))
    webhooks()
    (row,) = [json.loads(line) for line in read_command(app, "webhooks", "--json").splitlines()]
    assert (row["webhook"], row["due"], row["place"]) == ("shop", 1, shop.url.removesuffix("/webhooks"))
    assert "410" in row["obstacle"]
    assert "planted" not in row["obstacle"]
    assert "HTTP 204" in read_command(app, "webhooks", "test", "shop")
    verify(shop.came[-1].headers, shop.came[-1].body, SECRET)
    assert json.loads(shop.came[-1].body)["type"] == "overnight.test"
    read_command(app, "webhooks", "resume", "shop")
    assert webhooks() == "1 delivered"
    shop.always = Reply(500)
    failed = CliRunner().invoke(app, ["webhooks", "test", "shop"])
    assert (failed.exit_code, "HTTP 500" in failed.output) == (1, True)


def test_what_an_endpoint_says_is_in_the_deliverys_error_and_in_no_log_or_alarm(
    service: Service, shop: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    service.configure(webhooks={"shop": shop.settings(deliver_for="1s")})
    shop.always = Reply(400, b"zzplantedzz")
    answered(service, *"abcde")
    for _ in range(8):
        webhooks()
        look_again(service)
    assert {state for state, _, _ in states(service)} == {"dead"}
    assert "zzplantedzz" in str(states(service))
    alarms_on = [alarm.text for alarm in take_snapshot(process.database()).alarms(settings())]
    assert any("given up" in text and "webhook shop" in text for text in alarms_on)
    assert "zzplantedzz" not in "".join(alarms_on)
    assert "zzplantedzz" not in "".join(capsys.readouterr())
