"""What the answers to one recipe of a catalog had: from this a plan learns how long the next ones are."""

from __future__ import annotations

from typing import Final

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.money.history import SUMS, Answers
from overnight_models.ledger.rows import fetch_all
from overnight_models.ledger.run_items import BACKWARDS, items_of

_OF_RECIPE: Final = """
    = ANY (ARRAY(
        SELECT run.id FROM run JOIN catalog_run ON run.name = :catalog || '-' || catalog_run.number
        WHERE catalog_run.recipe = :recipe AND catalog_run.catalog_id = (SELECT id FROM catalog WHERE name = :catalog)
    ))
"""


def of_recipe(connection: Connection, catalog: str, recipe: int, *, latest: int = 20_000) -> list[Answers]:
    """The latest billed answers of a catalog's runs by that recipe, added up by run and model.

    Answers that were asked for again are among them: each was paid. `items` says of how many rows they were.
    """
    return fetch_all(
        connection,
        Answers,
        f"""
        SELECT item.run_id AS group_id, bill.model, {SUMS},
               count(*) FILTER (WHERE item.state <> 'redone') AS items
        FROM (
            SELECT id, run_id, state FROM {items_of(_OF_RECIPE, backwards=True)} ORDER BY {BACKWARDS} LIMIT :latest
        ) item
        JOIN whole_outcome AS bill ON bill.item_id = item.id AND bill.billed
        GROUP BY item.run_id, bill.model ORDER BY item.run_id, bill.model
        """,
        catalog=catalog,
        recipe=recipe,
        latest=latest,
    )
