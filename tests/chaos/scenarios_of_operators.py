"""What people do to many items, to lanes, runs and schedules, each step killed wherever it may be."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from overnight_models.errors import PermanentError
from overnight_models.ledger.catalogs import schedules
from overnight_models.ledger.catalogs.schedules import Declared
from overnight_models.ledger.deliver.replay import Replayed
from overnight_models.ledger.operators.actions import By
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_workers.catalogs import steering as catalog_steering
from overnight_workers.operators import acting, steering
from overnight_workers.operators.preview import Preview
from overnight_workers.process import database
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.chaos.scenario import DONE, ROUND, Scenario
from tests.chaos.steps import Step, a_budget, message, one, tasks
from tests.driving import Service

_ANN: Final = By("ann", via="command", reason="chaos")
_A_CATALOG: Final = """
INSERT INTO catalog_run (catalog_id, number, state, path, declaration, wish)
SELECT id, number, 'asking', '/srv/shop.toml', '', '{}' FROM catalog, generate_series(1, 2) number
ON CONFLICT DO NOTHING
"""
_TWICE: Final = """
SELECT name, count(*) AS n FROM action WHERE name IN ('pause', 'pause schedule', 'resume schedule', 'approve run')
GROUP BY name HAVING count(*) > 1
"""


def acts(preview: Callable[[], Preview]) -> Step:
    """An operator acts on many items, by the command, which does the groups itself."""

    def act(_: Service) -> None:
        acting.finish(acting.begin(preview(), _ANN).id)

    return act


def steers(deed: Callable[[], object]) -> Step:
    """An operator says a word; said again after a death it may find that it is done."""

    def steer(_: Service) -> None:
        with suppress(PermanentError):
            deed()

    return steer


def a_catalog(service: Service) -> None:
    """It has a schedule, and a run that asks."""
    declared = Declared("/srv/shop.toml", "0 22 * * *", "Europe/Berlin", None, "skip", "drop")
    next_at = service.ledger.fetch_one("SELECT now() + interval '5 h' AS at")["at"]
    with database().transaction() as connection:
        schedules.keep(connection, "shop", declared, next_at=next_at, who="ann")
    service.ledger.execute(_A_CATALOG)


def nothing_is_recorded_twice(service: Service) -> None:
    """What is done and that it was done are one transaction, so whoever dies between says it again, or needn't."""
    assert service.ledger.fetch_all(_TWICE) == []


OPERATORS: Final = (
    Scenario(
        "tried again, taken back and replayed by an operator's filter",
        (
            a_budget,
            message(1, one("a", fault="refused:1"), one("b", fault="errored:invalid_request_error:1"), one("c")),
            *ROUND,
            acts(lambda: acting.preview_redo(ItemFilter(state="failed"))),
            *ROUND,
            message(2, one("d"), one("e")),
            *tasks(pack),
            acts(lambda: acting.preview_cancel(ItemFilter(key_prefix="d"))),
            *tasks(submit),
            acts(lambda: acting.preview_cancel(ItemFilter(key_prefix="e"))),
            *ROUND,
            acts(lambda: acting.preview_replay(Replayed(state="delivered", key="c"))),
            *tasks(deliver, sweep),
        ),
        {"a": DONE, "b": DONE, "c": DONE, "d": ("canceled",), "e": ("canceled", "succeeded")},
        redone=2,
        canceled=("d", "e"),
        shows="SELECT 1 FROM action WHERE ended_at IS NOT NULL AND done > 0 HAVING count(*) = 4",
    ),
    Scenario(
        "lanes, runs and schedules are steered",
        (
            message(1, one("a")),
            steers(lambda: steering.pause("default", _ANN)),
            *tasks(pack),
            a_catalog,
            steers(lambda: catalog_steering.skip("shop", _ANN)),
            steers(lambda: catalog_steering.pause("shop", _ANN)),
            steers(lambda: catalog_steering.resume("shop", _ANN)),
            steers(lambda: catalog_steering.approve("shop-1", _ANN)),
            steers(lambda: catalog_steering.stop("shop-2", _ANN)),
            nothing_is_recorded_twice,
            steers(lambda: steering.resume("default", _ANN)),
            message(2, one("b")),
            steers(lambda: steering.drain("default", _ANN)),
            *ROUND,
        ),
        {"a": DONE, "b": DONE},
        shows="SELECT 1 FROM action HAVING count(*) = 8",
    ),
)
