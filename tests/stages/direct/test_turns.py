"""Who is sent in real time first: tenants take turns, the nearest deadline goes first, and nothing starves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from overnight_models.ledger.direct import claim as claims
from overnight_models.ledger.direct import places
from overnight_workers import process
from tests.driving import Service, blocked, item
from tests.stages.routing.remembered import within
from tests.waiting import wait_until


def taken(service: Service, limit: int, max_calls: int | None = None) -> list[str]:
    """The keys of those that are taken now, in the order in which they go."""
    with process.database().transaction() as connection:
        place = places.sources(connection, ["default"])[0]
        claim = claims.take(
            connection,
            place,
            None,
            process.prices(),
            owner=process.database().owner(),
            lease_s=600,
            limit=limit,
            max_bytes=10**6,
            counts_first=False,
            max_calls=max_calls,
        )
    keys = {row["item_id"]: row["key"] for row in service.ledger.fetch_all("SELECT item_id, key FROM request")}
    return [keys[call.item_id] for call in claim.asked]


def test_a_tenant_with_many_items_does_not_keep_the_others_waiting(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(*(item(f"many{n}", tenant="many") for n in range(30)))
    service.accept(item("few0", tenant="few"), item("few1", tenant="few"), item("none0"))
    assert taken(service, 4) == ["many0", "few0", "none0", "many1"]
    # the calls that are under way count: 2 of `many`, 1 of `few`, 1 of none
    service.accept(item("new0", tenant="new"))
    assert taken(service, 3) == ["new0", "few1", "many2"]


def test_one_slot_after_the_other_every_tenant_gets_its_share(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(*(item(f"{tenant}{n}", tenant=tenant) for tenant in "abc" for n in range(4)))
    sent = [key for _ in range(6) for key in taken(service, 1)]
    assert sorted(sent) == ["a0", "a1", "b0", "b1", "c0", "c1"]


def test_the_nearest_deadline_goes_first_and_what_has_waited_for_an_hour_before_all_that_is_new(
    service: Service,
) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(item("first"), item("tomorrow", deadline=within(24)))
    service.accept(item("soon", deadline=within(0.5)), item("now", deadline=within(0.1)))
    service.accept(item("old"), item("rather old"))
    for key, minutes in (("old", 61), ("rather old", 20)):
        service.ledger.execute(
            "UPDATE item SET direct_at = direct_at - make_interval(mins => %s)"
            " WHERE id = (SELECT item_id FROM request WHERE key = %s)",
            minutes,
            key,
        )
    assert taken(service, 10) == ["old", "now", "soon", "rather old", "first", "tomorrow"]


def test_a_deadline_that_is_over_goes_before_a_near_one_and_not_before_what_has_waited_for_an_hour(
    service: Service,
) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(item("near", deadline=within(0.01)), item("late", deadline=within(1)), item("old"))
    service.ledger.execute(
        "UPDATE item SET deadline = now() - interval '5 h' WHERE id = (SELECT item_id FROM request WHERE key = 'late')"
    )
    service.ledger.execute(
        "UPDATE item SET direct_at = now() - interval '61 min'"
        " WHERE id = (SELECT item_id FROM request WHERE key = 'old')"
    )
    assert taken(service, 10) == ["old", "late", "near"]


def test_a_place_with_a_near_deadline_goes_before_one_that_has_waited_a_little(service: Service) -> None:
    service.configure(lane={"road": "direct"}, lanes={"other": {"road": "direct"}})
    service.accept(item("first"))
    service.accept(item("soon", deadline=within(0.5)), lane="other")
    with process.database().transaction() as connection:
        assert [place.lane for place in places.sources(connection, ["default", "other"])] == ["other", "default"]


def test_a_lane_has_no_more_calls_under_way_than_it_says_over_all_workers(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(*(item(f"k{n}") for n in range(9)))
    assert [len(taken(service, 2, max_calls=3)) for _ in range(3)] == [2, 1, 0]
    service.ledger.execute("DELETE FROM direct_call WHERE item_id = 1")
    assert len(taken(service, 2, max_calls=3)) == 1


def test_two_that_look_at_the_same_moment_take_no_more_than_the_lane_says_together(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(*(item(f"k{n}") for n in range(9)))
    with ThreadPoolExecutor(1) as other:
        with service.other_process().transaction() as first:
            (place,) = places.sources(first, ["default"])
            assert places.room(first, place.lane_id, 3) == 3
            second = other.submit(taken, service, 2, 3)
            wait_until(lambda: blocked(service) == 1)
        assert len(second.result(60)) == 2
