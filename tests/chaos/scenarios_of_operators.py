"""What people say of lanes, runs and schedules, killed at every point."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from overnight_models.errors import PermanentError
from overnight_models.ledger.catalogs import schedules
from overnight_models.ledger.catalogs.schedules import Declared
from overnight_models.ledger.operators.actions import By
from overnight_workers.catalogs import steering as catalog_steering
from overnight_workers.operators import steering
from overnight_workers.process import database
from overnight_workers.stages.pack.pack import pack
from tests.chaos.scenario import DONE, ROUND, Scenario
from tests.chaos.steps import Step, message, one, tasks
from tests.driving import Service

_ANN: Final = By("ann", via="command", reason="chaos")
_A_CATALOG: Final = """
INSERT INTO catalog_run (catalog_id, number, state, path, declaration, wish)
SELECT id, 1, 'asking', '/srv/shop.toml', '', '{}' FROM catalog
ON CONFLICT DO NOTHING
"""
_TWICE: Final = """
SELECT name, count(*) AS n FROM action WHERE name IN ('pause', 'pause schedule', 'resume schedule', 'approve run')
GROUP BY name HAVING count(*) > 1
"""


def steers(deed: Callable[[], object]) -> Step:
    """An operator says a word; said again after a death it may find that it is done."""

    def steer(_: Service) -> None:
        with suppress(PermanentError):
            deed()

    return steer


def a_catalog(service: Service) -> None:
    """It has a schedule, and a run that asks."""
    declared = Declared("/srv/shop.toml", "", "0 22 * * *", "Europe/Berlin", None, "skip", "drop")
    next_at = service.ledger.fetch_one("SELECT now() + interval '5 h' AS at")["at"]
    with database().transaction() as connection:
        schedules.keep(connection, "shop", declared, next_at=next_at, who="ann")
    service.ledger.execute(_A_CATALOG)


def nothing_is_recorded_twice(service: Service) -> None:
    """What is done and that it was done are one transaction, so whoever dies between says it again, or needn't."""
    assert service.ledger.fetch_all(_TWICE) == []


OPERATORS: Final = (
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
            steers(lambda: catalog_steering.stop("shop-1", _ANN)),
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
