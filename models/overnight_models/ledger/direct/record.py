"""Recording what came of direct calls; what got no answer may have been billed, and is kept as that."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from overnight_models.ledger import direct_calls
from overnight_models.ledger.bodies.encryption import seal_str, writing_keys
from overnight_models.ledger.collect import outcomes
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.collect.asking_again import NEVER, Rule
from overnight_models.ledger.collect.outcomes import Recorded
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.direct_calls import Ended
from overnight_models.ledger.money import settle
from overnight_models.ledger.pack.rates import RATE, rate_values, rated, road_rates, worst
from overnight_models.ledger.presence import is_gone
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_pairs
from overnight_models.money.prices import Prices
from overnight_models.request.worst_case import ADDED_TOKENS, UNBOUNDED
from overnight_models.wire.outcome import Problem

_SILENT_S: Final = 20
"""A process whose lock is gone has given no sign of life for so long: Postgres may only have been restarted."""


@dataclass(frozen=True)
class Rules:
    """How often a lane's items are tried."""

    max_attempts: int
    max_maybe_billed: int
    """How often an item is sent again after a call that may have been billed."""
    again_if_invalid: Rule = NEVER


def record(
    connection: Connection,
    source: Source,
    arrivals: Sequence[Arrival],
    lost: Mapping[int, str],
    prices: Prices,
    rules: Rules,
    *,
    claim: Collection[int] = (),
    lease_s: float = 0,
) -> Recorded:
    """Record what came of some calls of one claim.

    source: its claim as `submission_id`, the claim's number as `batch_id`.
    lost: why calls got no answer although they were let go, by item.
    claim, lease_s: as in `outcomes.record`.

    An answer counts however late it comes. An error counts only if nobody has ended its call before.
    """
    assert source.submission_id is not None, "a direct claim has a number"
    # asked before anything is changed, see `budgets.set_budget`; `outcomes.record` asks for the answer
    _budgeted = settle.is_budgeted(connection, source.batch_id)
    answered = [arrival.item_id for arrival in arrivals]
    ended = direct_calls.end(connection, source.submission_id, [*answered, *lost])
    known = [arrival.item_id for arrival in arrivals if arrival.billed and arrival.item_id not in ended]
    if known:
        _forget(connection, source.submission_id, known)
    doubtful = _maybe_billed(connection, source.submission_id, ended, lost, prices, rules)
    return outcomes.record(
        connection,
        source,
        [*arrivals, *doubtful],
        max_attempts=rules.max_attempts,
        again_if_invalid=rules.again_if_invalid,
        claim=claim,
        lease_s=lease_s,
        calls=ended,
    )


def _forget(connection: Connection, claim_id: int, item_ids: Sequence[int]) -> None:
    """Answers came after all: what they cost is known now."""
    execute(
        connection,
        "DELETE FROM maybe_billed WHERE claim_id = :claim_id AND item_id = ANY(:ids)",
        claim_id=claim_id,
        ids=list(item_ids),
    )


def _maybe_billed(
    connection: Connection,
    claim_id: int,
    ended: Mapping[int, Ended],
    lost: Mapping[int, str],
    prices: Prices,
    rules: Rules,
) -> list[Arrival]:
    """Calls that got no answer: a row each, and another try as often as their lane says."""
    own = {item_id: why for item_id, why in lost.items() if item_id in ended}
    if not own:
        return []
    keys = writing_keys(connection, own)
    execute(
        connection,
        f"""
        WITH {RATE}
        INSERT INTO maybe_billed (item_id, claim_id, lane_id, tenant_id, run_id, model_id, why, input_tokens,
                                  output_tokens, cost_nano)
        SELECT item.id, :claim_id, item.lane_id, tenant_id, run_id, item.model_id, lost.why, item.size + {ADDED_TOKENS},
               max_tokens,
               CASE WHEN NOT (coalesce(request.unbounded, request.params ~ :unbounded)
                              OR coalesce(prefix.unbounded, prefix.document ~ :unbounded, false))
                    THEN {worst("item")} END
        FROM unnest(CAST(:ids AS bigint[]), CAST(:whys AS text[])) AS lost (id, why)
        JOIN item ON item.id = lost.id JOIN request ON request.item_id = item.id
        LEFT JOIN prefix ON prefix.id = item.prefix_id LEFT JOIN rate ON {rated("item")}
        """,
        claim_id=claim_id,
        ids=list(own),
        whys=[
            seal_str(keys.get(item_id), place_of_doubt(item_id), why.replace("\x00", "")[:500])
            for item_id, why in own.items()
        ],
        unbounded=UNBOUNDED,
        **rate_values(road_rates(connection, prices, batch=False), {}),
    )
    times = fetch_pairs(
        connection,
        int,
        int,
        "SELECT item_id, count(*) FROM maybe_billed WHERE item_id = ANY(:ids) GROUP BY item_id",
        ids=list(own),
    )
    return [_doubt(item_id, why, times[item_id], rules) for item_id, why in own.items()]


def place_of_doubt(item_id: int) -> str:
    """What the reason is bound to why a call of this item may have been billed: it may quote what came."""
    return f"maybe:{item_id}"


def _doubt(item_id: int, why: str, times: int, rules: Rules) -> Arrival:
    """What a lost answer means for its item. times: how often that has happened, this time included."""
    if times <= rules.max_maybe_billed:
        return Arrival(item_id, Fate.RETRY_OWN, problem=Problem.ERRORED, detail=why, retryable=True, may_be_billed=True)
    often = "" if times == 1 else f" ({times} calls)"
    detail = f"it may have been billed, and no answer came{often}: {why}"
    return Arrival(item_id, Fate.FAIL_OWN, problem=Problem.GIVEN_UP, detail=detail, retryable=True, may_be_billed=True)


class Abandoned(NamedTuple):
    """A claim whose process died, or is out of time; it takes no more."""

    id: int
    number: int
    lane: str
    maybe_billed: list[int]
    """Items of it that may have been billed."""
    unsent: list[int]
    """Those that can't have been."""


def abandoned(connection: Connection, *, lease_s: float, limit: int) -> list[Abandoned]:
    """Claims of dead processes end; what of them is under way is the caller's to bring home, in this transaction.

    lease_s: what a sign of life is good for.
    """
    ids = fetch_column(
        connection,
        int,
        f"""
        SELECT id FROM direct_claim
        WHERE done_at IS NULL AND (
            lease_until < now()
            OR lease_until < now() + make_interval(secs => :lease_s - {_SILENT_S}) AND {is_gone("owner")}
        )
        ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
        """,
        lease_s=lease_s,
        limit=limit,
    )
    if not ids:
        return []
    execute(connection, "UPDATE direct_claim SET done_at = clock_timestamp() WHERE id = ANY(:ids)", ids=ids)
    return fetch_all(
        connection,
        Abandoned,
        """
        SELECT direct_claim.id, batch_number AS number, lane.name AS lane,
               ARRAY(SELECT item_id FROM direct_call WHERE claim_id = direct_claim.id AND let_go_at IS NOT NULL
                     ORDER BY item_id) AS maybe_billed,
               ARRAY(SELECT item_id FROM direct_call WHERE claim_id = direct_claim.id AND let_go_at IS NULL
                     ORDER BY item_id) AS unsent
        FROM direct_claim JOIN lane ON lane.id = direct_claim.lane_id
        WHERE direct_claim.id = ANY(:ids) ORDER BY direct_claim.id
        """,
        ids=ids,
    )
