"""Caching: a breakpoint only where it pays, by what was measured; what loses money switches itself off and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from overnight_models.request.prefix import Prefix, has_room_for_a_breakpoint
from overnight_workers import process
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.settings import settings
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.budgeting import budget, seen
from tests.driving import Service, item, params, put_prefix
from tests.sandboxes import forked_sandbox
from tests.service.ledger import Json

CONTRACT = "Every clause of it. " * 1200
At = Callable[..., AbstractContextManager[Service]]


@pytest.fixture
def at_hit_rate(tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> At:
    """A service at whose API so many of a batch's requests find what another one of it wrote; `warm`: another batch."""

    @contextmanager
    def at(rate: float, warm: float = 0.95) -> Iterator[Service]:
        rates = ("--hit-rate", str(rate), "--warm-hit-rate", str(warm))
        with forked_sandbox(tmp_path / "sandbox", "--instant", *rates) as sandbox:
            service = Service(tmp_path, database_url, redis_url, sandbox, monkeypatch)
            yield service
            service.close()

    return at


def enqueue(service: Service, name: str, n: int = 40, contract: str = CONTRACT, **more: Any) -> None:
    """So many questions about a contract."""
    prefix = put_prefix(service, Prefix.of({"system": contract}))
    service.accept(
        *(item(f"{name} {k}", prefix=prefix, params=params(f"Question {name} {k}", **more)) for k in range(n))
    )


def sent(service: Service) -> list[Json]:
    pack()
    submit()
    api_id = service.ledger.fetch_one("SELECT api_id FROM submission ORDER BY id DESC LIMIT 1")["api_id"]
    return [request["params"] for request in service.api.body_at_the_api(api_id)["requests"]]


def chosen(service: Service) -> Json:
    """What was done with the prefix of the latest submission."""
    return service.ledger.fetch_one("SELECT * FROM caching ORDER BY submission_id DESC LIMIT 1")


def test_a_shared_prefix_that_is_long_enough_is_marked_at_its_end(service: Service) -> None:
    enqueue(service, "a")
    requests = sent(service)
    mark = {"type": "ephemeral", "ttl": "5m"}
    assert all(request["system"] == [{"type": "text", "text": CONTRACT, "cache_control": mark}] for request in requests)
    row = chosen(service)
    assert (row["lifetime"], row["requests"]) == ("5m", 40)
    assert row["why"] == "30% read it and the others write it, for 5m"


def test_how_much_was_read_is_measured_once_however_often_results_are_read(service: Service) -> None:
    enqueue(service, "a")
    service.api.fault("results", "cut_at_line", lines=10, count=1)
    service.finish()
    row = chosen(service)
    usage = service.ledger.fetch_one(
        """SELECT count(*) AS answers, sum(cache_read_tokens) AS read_tokens,
                  sum(cache_write_5m_tokens + cache_write_1h_tokens) AS written_tokens FROM whole_outcome"""
    )
    assert {name: row[name] for name in usage} == {name: int(value) for name, value in usage.items()}
    assert row["read_tokens"] > 0


@pytest.mark.parametrize(
    ("lane", "contract", "more", "why"),
    [
        ({"caching": "off"}, CONTRACT, {}, "the lane's caching is off"),
        ({}, CONTRACT[:1200], {}, "tokens are too few, claude-haiku-5-5 caches from"),
    ],
)
def test_it_is_left_alone_where_it_would_not_pay(
    service: Service, lane: Json, contract: str, more: Json, why: str
) -> None:
    service.configure(lane=lane)
    enqueue(service, "a", contract=contract, **more)
    assert all(request["system"] == contract for request in sent(service))
    assert (chosen(service)["lifetime"], why in chosen(service)["why"]) == (None, True), chosen(service)["why"]


def test_alone_it_is_left_alone(service: Service) -> None:
    enqueue(service, "a", n=1)
    assert sent(service)[0]["system"] == CONTRACT
    assert chosen(service)["why"] == "one request alone has nobody to read what it writes"


def test_what_its_caller_has_marked_is_its_callers(service: Service) -> None:
    system = [{"type": "text", "text": CONTRACT, "cache_control": {"type": "ephemeral"}}]
    prefix = put_prefix(service, Prefix.of({"system": system}))
    service.accept(*(item(f"k{n}", prefix=prefix) for n in range(3)))
    assert all(request["system"] == system for request in sent(service))
    assert chosen(service)["why"] == "its caller has set breakpoints"


def test_at_most_four_breakpoints_and_the_longer_lifetime_first() -> None:
    mark = b'{"cache_control":{"type":"ephemeral"}},'
    assert has_room_for_a_breakpoint(mark * 3, "5m")
    assert not has_room_for_a_breakpoint(mark * 4, "5m")
    hour = b'{"cache_control":{"type":"ephemeral","ttl":"1h"}}'
    assert has_room_for_a_breakpoint(hour, "1h")
    assert not has_room_for_a_breakpoint(hour, "5m")
    assert has_room_for_a_breakpoint(b'{"text":"it says \\"cache_control\\""}' * 9, "5m")


def test_caching_that_loses_money_switches_itself_off_and_says_so(at_hit_rate: At) -> None:
    with at_hit_rate(0.05) as service:
        enqueue(service, "a", n=100)
        service.finish()
        enqueue(service, "b", n=100, contract="Another one. " * 2000)
        assert "cache_control" not in str(sent(service))
        row = chosen(service)
        assert row["lifetime"] is None
        assert "of hits are too few, a 5m write of" in row["why"]
        (alarm,) = take_snapshot(process.database()).alarms(settings())
        assert alarm.kind == "caching given up"
        assert "1 prefix is not cached any more" in alarm.text
        service.finish()
        # the evidence grows old: it is tried again
        service.ledger.execute("UPDATE caching SET at = now() - interval '8 days'")
        enqueue(service, "c", n=100)
        assert "cache_control" in str(sent(service))


def test_caching_that_pays_goes_on(at_hit_rate: At) -> None:
    with at_hit_rate(0.9) as service:
        enqueue(service, "a", n=100)
        service.finish()
        enqueue(service, "b", n=100)
        assert "cache_control" in str(sent(service))
        share = int(chosen(service)["why"].partition("%")[0])
        assert 80 < share < 97, "as it was measured"


def test_one_goes_ahead_in_a_batch_of_its_own_and_the_rest_when_it_has_ended(service: Service) -> None:
    service.configure(lane={"prime": True})
    enqueue(service, "a")
    service.accept(item("of no prefix"))
    pack()
    assert service.ledger.states("item").count("waiting") == 39
    assert [row["items"] for row in service.ledger.fetch_all("SELECT items FROM batch ORDER BY id")] == [1, 1]
    submit()
    pack()
    assert service.ledger.states("item").count("waiting") == 39, "it hasn't ended"
    service.round()
    pack()
    submit()
    assert "waiting" not in service.ledger.states("item")
    poll()
    collect()
    rows = service.ledger.fetch_all("SELECT * FROM caching ORDER BY submission_id")
    assert [(row["lifetime"], row["requests"]) for row in rows] == [("1h", 1), ("1h", 39)]
    assert rows[0]["written_tokens"] > 0
    assert rows[1]["read_tokens"] > 0.8 * (rows[1]["read_tokens"] + rows[1]["written_tokens"])
    # within the hour nobody need go ahead
    enqueue(service, "b")
    pack()
    assert "waiting" not in service.ledger.states("item")


def test_priming_that_loses_money_switches_itself_off_and_says_so(at_hit_rate: At) -> None:
    with at_hit_rate(0.3, warm=0.1) as service:
        service.configure(lane={"prime": True})
        enqueue(service, "a", n=40)
        for _ in range(2):
            service.round()
        assert service.ledger.states("item") == ["succeeded"] * 40
        assert [
            row["priming"] for row in service.ledger.fetch_all("SELECT priming FROM caching ORDER BY submission_id")
        ] == [
            "ahead",
            None,
        ]
        enqueue(service, "b", n=40, contract="Another one. " * 2000)
        pack()
        assert [row["items"] for row in service.ledger.fetch_all("SELECT items FROM batch ORDER BY id")] == [1, 39, 40]
        submit()
        row = chosen(service)
        assert (row["lifetime"], row["priming"]) == ("5m", "given up")
        assert "of those after one that goes ahead read it, which doesn't repay its write" in row["why"]
        (alarm,) = take_snapshot(process.database()).alarms(settings())
        assert (alarm.kind, "1 prefix is not primed any more" in alarm.text) == ("caching given up", True)
        service.finish()
        service.ledger.execute("UPDATE caching SET at = now() - interval '8 days'")
        enqueue(service, "c", n=40, contract="A third one. " * 2000)
        pack()
        assert service.ledger.fetch_one("SELECT items FROM batch ORDER BY id DESC LIMIT 1")["items"] == 1, (
            "it is tried again"
        )


def test_priming_that_pays_goes_on(at_hit_rate: At) -> None:
    with at_hit_rate(0.3, warm=0.9) as service:
        service.configure(lane={"prime": True})
        for n, contract in enumerate((CONTRACT, "Another one. " * 2000)):
            enqueue(service, f"k{n}", n=40, contract=contract)
            for _ in range(2):
                service.round()
        assert [row["items"] for row in service.ledger.fetch_all("SELECT items FROM batch ORDER BY id")] == [
            1,
            39,
            1,
            39,
        ]


def test_nobody_goes_ahead_in_a_lane_whose_caching_is_off(service: Service) -> None:
    service.configure(lane={"prime": True, "caching": "off"})
    enqueue(service, "a")
    pack()
    assert [row["items"] for row in service.ledger.fetch_all("SELECT items FROM batch")] == [40]


def test_a_prefix_that_ends_in_deferred_tools_is_marked_before_them_and_the_api_takes_it(service: Service) -> None:
    service.configure(lane={"check_first": False})
    tool = {"name": "look_up", "description": CONTRACT, "input_schema": {"type": "object"}}
    rare = [{**tool, "name": f"rare_{n}", "description": "Seldom.", "defer_loading": True} for n in range(3)]
    prefix = put_prefix(service, Prefix.of({"tools": [tool, *rare]}))
    service.accept(*(item(f"k{n}", prefix=prefix) for n in range(40)))
    requests = sent(service)
    assert all([bool(tool.get("cache_control")) for tool in each["tools"]] == [True] + [False] * 3 for each in requests)
    poll()
    collect()
    assert service.ledger.states("item") == ["succeeded"] * 40


def test_nobody_goes_ahead_for_too_few_or_for_too_little(service: Service) -> None:
    service.configure(lane={"prime": True})
    enqueue(service, "a", n=2)
    enqueue(service, "b", contract=CONTRACT[:1200])
    pack()
    assert [row["items"] for row in service.ledger.fetch_all("SELECT items FROM batch")] == [42]


def test_one_that_went_ahead_and_failed_keeps_nobody_waiting(service: Service) -> None:
    service.configure(lane={"prime": True, "max_attempts": 1})
    prefix = put_prefix(service, Prefix.of({"system": CONTRACT}))
    service.accept(*(item(f"k{n}", prefix=prefix, fault="errored") for n in range(10)))
    service.finish()
    assert service.ledger.states("item") == ["failed"] * 10


def test_a_prefix_whose_price_has_no_bound_is_held_by_a_strict_budget(service: Service) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    image = {"role": "user", "content": [{"type": "image", "source": source}]}
    prefix = put_prefix(service, Prefix.of({"messages": [image, {"role": "assistant", "content": "a kettle"}]}))
    budget()
    service.accept(item("k", prefix=prefix))
    pack()
    assert seen().held == {"no bound": 1}


def test_over_budget_all_of_a_prefix_are_held_at_once(service: Service) -> None:
    service.configure(lane={"prime": True})
    budget(nano=0)
    enqueue(service, "a")
    assert pack() == "0 batches, 0 items"
    assert seen().held == {"over the cap by itself": 40}
