"""Rates: what an item may cost at the most, and what is expected of it, as SQL on the item and its model's rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import fetch_pairs
from overnight_models.request.worst_case import ADDED_TOKENS, WorstRate, worst_rates

if TYPE_CHECKING:
    from overnight_models.money.prices import Prices

Rates = Mapping[int, Sequence[WorstRate]]
"""By model, those of one road; models without a price aren't in it."""

_LEARNED_FROM: Final = 2000
"""Of so many of the latest answers, what is expected is learned."""
_FEWEST: Final = 30
"""With fewer answers than that, nothing is expected but the worst."""


def rate_values(rates: Rates, expected: Mapping[int, float]) -> dict[str, object]:
    """The parameters of `RATE`. expected: by model, a share of the worst; 1 where it has none."""
    by_size = [(model_id, rate) for model_id, of_model in rates.items() for rate in of_model]
    return {
        "rate_shares": [expected.get(model_id, 1.0) for model_id, _ in by_size],
        "rate_models": [model_id for model_id, _ in by_size],
        "rate_aboves": [rate.above_tokens for _, rate in by_size],
        "rate_up_tos": [rate.up_to_tokens for _, rate in by_size],
        "rate_inputs": [rate.input_nano for _, rate in by_size],
        "rate_outputs": [rate.output_nano for _, rate in by_size],
    }


RATE: Final = """
    rate (model_id, above, up_to, input_nano, output_nano, share) AS (
        SELECT * FROM unnest(
            CAST(:rate_models AS integer[]), CAST(:rate_aboves AS bigint[]), CAST(:rate_up_tos AS bigint[]),
            CAST(:rate_inputs AS bigint[]), CAST(:rate_outputs AS bigint[]), CAST(:rate_shares AS float[])
        )
    )
"""


def worst(item: str) -> str:
    """The most that an item may cost, by its rate."""
    return f"({item}.size + {ADDED_TOKENS}) * rate.input_nano + {item}.max_tokens::bigint * rate.output_nano"


def rated(item: str) -> str:
    """The rate of an item: by its model, and by the bound of its prompt."""
    return f"""
        rate.model_id = {item}.model_id
        AND {item}.size + {ADDED_TOKENS} > rate.above AND {item}.size + {ADDED_TOKENS} <= rate.up_to
    """


def road_rates(connection: Connection, prices: Prices, *, batch: bool) -> Rates:
    """The rates of all models that items have, in a batch or in real time."""
    names = fetch_pairs(connection, int, str, "SELECT id, name FROM model")
    named = {model_id: prices.model(name) for model_id, name in names.items()}
    return {model_id: worst_rates(model, batch=batch) for model_id, model in named.items() if model is not None}


def expected(connection: Connection, rates: Rates, lane_id: int) -> dict[int, float]:
    """What a lane's latest answers cost as a share of the worst, plus twice that share's error; by model."""
    return fetch_pairs(
        connection,
        int,
        float,
        f"""
        WITH {RATE}, latest AS (
            SELECT item.model_id, item.size, item.max_tokens, outcome.cost_nano
            FROM (
                SELECT id FROM batch WHERE lane_id = :lane_id AND state = 'collected' ORDER BY id DESC LIMIT 10
            ) batch
            JOIN item ON item.batch_id = batch.id JOIN outcome ON outcome.item_id = item.id
            WHERE outcome.billed AND outcome.cost_nano IS NOT NULL ORDER BY item.id DESC LIMIT :latest
        ), answer AS (
            SELECT latest.model_id, latest.cost_nano::float AS cost, ({worst("latest")})::float AS worst
            FROM latest JOIN rate ON {rated("latest")}
        ), learned AS (
            SELECT model_id, sum(cost) / sum(worst) AS share, count(*) AS n, avg(worst) AS worst
            FROM answer GROUP BY model_id HAVING count(*) >= :fewest
        )
        SELECT model_id, learned.share + 2 * sqrt(sum((cost - learned.share * answer.worst) ^ 2))
               / (learned.worst * sqrt(learned.n * (learned.n - 1))) AS share
        FROM learned JOIN answer USING (model_id) GROUP BY model_id, learned.share, learned.n, learned.worst
        """,
        lane_id=lane_id,
        latest=_LEARNED_FROM,
        fewest=_FEWEST,
        **rate_values(rates, {}),
    )
