"""The list of items and one item's life, on a real ledger: every page by its keyset, each filter, nothing of a body."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from overnight_models.ledger.database import Database
from overnight_models.ledger.operators import item_life, item_list
from overnight_models.ledger.operators.item_filter import ItemFilter
from tests.servers import copy_database

SECRET = "planted-in-a-body"
ROWS = f"""
INSERT INTO lane (name) VALUES ('copy'), ('night');
INSERT INTO headers (workspace, betas, api_version) VALUES ('default', '', '2026-10-21');
INSERT INTO model (name) VALUES ('claude-haiku-5-5'), ('claude-sonnet-5-5');
INSERT INTO tenant (name) VALUES ('acme');
INSERT INTO run (name) VALUES ('spring');
INSERT INTO target (broker, queue) VALUES ('', 'shop');
INSERT INTO batch (lane_id, headers_id, state, items, size) VALUES (1, 1, 'collected', 40, 40000);
INSERT INTO submission (batch_id, token, state, api_id, items, api_created_at, let_go_at, ended_at)
    VALUES (1, 't', 'done', 'msgbatch_a', 40, now() - interval '2 h', now() - interval '2 h', now() - interval '1 h');
INSERT INTO item (id, lane_id, headers_id, model_id, tenant_id, run_id, max_tokens, state, batch_id, size,
                  waiting_since, deadline)
    SELECT i, 1 + i % 2, 1, 1 + (i % 10 = 0)::int, CASE WHEN i % 5 = 0 THEN 1 END, CASE WHEN i <= 30 THEN 1 END, 500,
           CASE WHEN i > 40 THEN 'waiting' WHEN i % 8 = 0 THEN 'failed' ELSE 'succeeded' END,
           CASE WHEN i <= 40 THEN 1 END, 1000, CASE WHEN i > 40 THEN now() END,
           CASE WHEN i = 3 THEN now() - interval '3 h' END
    FROM generate_series(1, 100) i;
INSERT INTO request (item_id, receipt, key, tenant, params, enqueued_at)
    SELECT i, gen_random_uuid(), CASE WHEN i <= 20 THEN 'old/' ELSE 'new/' END || i, NULL,
           '{{"model": "claude-haiku-5-5", "messages": "{SECRET}"}}', now() - (101 - i) * interval '1 h'
    FROM generate_series(1, 100) i;
INSERT INTO item_key (lane_id, key_hash, item_id, content_hash) VALUES (2, '\\x00', 7, '');
INSERT INTO outcome (item_id, submission_id, cost_nano, realtime_nano, attempts, ok, retryable, billed, via, problem,
                     detail, model, message)
    SELECT i, 1, 1000, 2000, 1, i % 8 <> 0, false, true, 'batch',
           CASE WHEN i % 16 = 0 THEN 'refused' WHEN i % 8 = 0 THEN 'errored' END, CASE WHEN i % 8 = 0 THEN 'x' END,
           'claude-haiku-5-5', '{{"content": "{SECRET}"}}'
    FROM generate_series(1, 40) i;
INSERT INTO delivery (item_id, lane_id, target_id, state, tries, error)
    SELECT i, 1, 1, CASE WHEN i < 4 THEN 'dead' ELSE 'delivered' END, 12, 'refused' FROM generate_series(1, 40) i;
INSERT INTO maybe_billed (item_id, claim_id, lane_id, model_id, why, input_tokens, output_tokens, cost_nano)
    VALUES (8, 5, 1, 1, 'no answer', 10, 10, 5000);
"""
NEWEST_FIRST = list(range(100, 0, -1))


@pytest.fixture(scope="module")
def ledger(postgres: str) -> Iterator[Database]:
    url = copy_database(postgres)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(ROWS.encode())
        connection.execute("ANALYZE")
    database = Database(url)
    yield database
    database.close()


def listed(ledger: Database, wanted: ItemFilter, **how: float) -> list[int]:
    """All pages of it, as their keysets lead from one to the next."""
    ids: list[int] = []
    before: int | None = None
    while True:
        with ledger.transaction() as connection:
            page = item_list.page(connection, wanted, before=before, **how)  # type: ignore[arg-type]
        ids += [item.id for item in page.items]
        if page.before is None:
            return ids
        before = page.before


def test_pages_of_any_size_and_window_have_each_item_once_the_newest_first(ledger: Database) -> None:
    for limit in (1, 7, 50, 100, 1000):
        for window in (3, 50, 20_000):
            assert listed(ledger, ItemFilter(), limit=limit, window=window) == NEWEST_FIRST, (limit, window)


def test_a_page_whose_time_is_over_says_from_where_it_goes_on(ledger: Database) -> None:
    wanted = ItemFilter(model="claude-sonnet-5-5", run="spring")
    with ledger.transaction() as connection:
        page = item_list.page(connection, wanted, window=5, looked_s=0.0)
    assert ([item.id for item in page.items], page.looked_at, page.is_full, page.before) == ([30], 5, False, 26)
    assert listed(ledger, wanted, window=5, looked_s=0.0) == [30, 20, 10]


now = datetime.now(UTC)


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (ItemFilter(lane="night"), [i for i in NEWEST_FIRST if i % 2]),
        (ItemFilter(lane="nobody's"), []),
        (ItemFilter(tenant="acme"), [i for i in NEWEST_FIRST if i % 5 == 0]),
        (ItemFilter(run="spring"), NEWEST_FIRST[70:]),
        (ItemFilter(state="failed"), [40, 32, 24, 16, 8]),
        (ItemFilter(state="waiting", lane="night"), [i for i in NEWEST_FIRST if i > 40 and i % 2]),
        (ItemFilter(state="held"), []),
        (ItemFilter(problem="any"), [40, 32, 24, 16, 8]),
        (ItemFilter(problem="refused"), [32, 16]),
        (ItemFilter(model="claude-sonnet-5-5", run="spring"), [30, 20, 10]),
        (ItemFilter(enqueued_before=now - timedelta(hours=97, minutes=30)), [3, 2, 1]),
        (ItemFilter(enqueued_since=now - timedelta(hours=2, minutes=30)), [100, 99]),
        (ItemFilter(key_prefix="old/1"), [19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 1]),
        (ItemFilter(key_prefix="%"), []),
        (ItemFilter(batch_id=1), NEWEST_FIRST[60:]),
        (ItemFilter(delivery="dead"), [3, 2, 1]),
        (ItemFilter(delivery="delivered", run="spring", problem="any"), [24, 16, 8]),
        (ItemFilter(late=True), [3]),
        (ItemFilter(ids=(90, 4, 10**9)), [90, 4]),
    ],
)
def test_a_filter_lists_what_it_names(ledger: Database, wanted: ItemFilter, ids: list[int]) -> None:
    assert listed(ledger, wanted) == ids
    assert listed(ledger, wanted, limit=2, window=7) == ids


def test_a_list_and_a_life_read_nothing_of_a_body(ledger: Database) -> None:
    with ledger.transaction() as connection:
        page = item_list.page(connection, ItemFilter())
        life = item_life.life(connection, 8)
        body = item_life.body(connection, 8)
    assert SECRET not in repr(page) + repr(life)
    assert SECRET in body.params if body else False
    assert body.message is not None if body else False


def test_the_life_of_an_item_has_its_batch_its_deliveries_and_what_may_have_been_billed(ledger: Database) -> None:
    with ledger.transaction() as connection:
        life = item_life.life(connection, 8)
        assert item_life.life(connection, 10**9) is None
        assert item_life.body(connection, 10**9) is None
    assert life is not None
    assert (life.item.key, life.item.problem, life.item.delivery) == ("old/8", "errored", "delivered")
    assert [(sent.api_id, sent.items) for sent in life.sent] == [("msgbatch_a", 40)]
    assert [(paid.is_certain, paid.cost_nano) for paid in life.paid] == [(False, 5000)]
    assert [(tried.item_id, tried.number) for tried in life.tries] == [(8, 0)]
    assert (life.rows.batch_state, life.rows.workspace, life.rows.delivery_generation) == ("collected", "default", 0)


@pytest.mark.parametrize(
    "wanted", [ItemFilter(problem="refused"), ItemFilter(problem="any"), ItemFilter(state="failed")]
)
def test_for_what_few_have_only_items_with_a_problem_are_looked_at(ledger: Database, wanted: ItemFilter) -> None:
    """Of 100 items five have one: one that three of millions have is found however far back it is."""
    with ledger.transaction() as connection:
        page = item_list.page(connection, wanted, window=2)
    assert page.looked_at == 5
    assert [item.id for item in page.items] == ([32, 16] if wanted.problem == "refused" else [40, 32, 24, 16, 8])
