"""The bill's rows that aren't outcomes, and the spending: what was billed, added up as it is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple, Protocol

from overnight_models.ledger.collect.arrivals import Arrival, Source
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.copying import copy_foreign, copy_lines, copy_number
from overnight_models.ledger.rows import fetch_all, fetch_column

_MONEY: Final = "cost_nano, realtime_nano"
_TOKENS: Final = (
    "input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens"
)
COUNTED: Final = f"{_MONEY}, {_TOKENS}"
"""The columns that outcomes, doubles and the spending have in common."""
_SPENT: Final = f"{_TOKENS}, thinking_nano"
_NOTHING_CACHED: Final = b"\\N\t\\N\t\\N"


def _counters(names: str) -> tuple[attrgetter[int], ...]:
    return tuple(map(attrgetter, names.split(", ")))


_MONEY_COUNTERS, _SPENT_COUNTERS = _counters(_MONEY), _counters(_SPENT)


class Owned(Protocol):
    """An item of which is known whose it is."""

    @property
    def lane_id(self) -> int:
        """Its lane."""

    @property
    def tenant_id(self) -> int | None:
        """On whose behalf it is sent."""

    @property
    def run_id(self) -> int | None:
        """Its run."""


class _Owners(NamedTuple):
    """Whose an item is."""

    id: int
    lane_id: int
    tenant_id: int | None
    run_id: int | None


def _priced(arrival: Arrival) -> bytes:
    # both have a price, or neither
    if arrival.cost_nano is None or arrival.realtime_nano is None:
        return b"\\N\t\\N"
    return b"%d\t%d" % (arrival.cost_nano, arrival.realtime_nano)


def counted_short(arrival: Arrival) -> bytes:
    """The same as an outcome has them: null for 0 where most have 0."""
    cached = (arrival.cache_write_5m_tokens, arrival.cache_write_1h_tokens, arrival.cache_read_tokens)
    return b"%b\t%d\t%b\t%d\t%b" % (
        _priced(arrival),
        arrival.input_tokens,
        b"\t".join([copy_number(tokens or None) for tokens in cached]) if any(cached) else _NOTHING_CACHED,
        arrival.output_tokens,
        copy_number(arrival.thinking_tokens or None),
    )


def counted(arrival: Arrival) -> bytes:
    """An arrival's values of these columns, as a part of a COPY line."""
    return b"%b\t%d\t%d\t%d\t%d\t%d\t%d" % (
        _priced(arrival),
        arrival.input_tokens,
        arrival.cache_write_5m_tokens,
        arrival.cache_write_1h_tokens,
        arrival.cache_read_tokens,
        arrival.output_tokens,
        arrival.thinking_tokens,
    )


def bill(
    connection: Connection, source: Source, arrivals: Sequence[Arrival], settled: Mapping[int, Owned]
) -> list[Arrival]:
    """What was billed and isn't kept gets rows of its own; both are added up. Returns those that weren't kept."""
    kept = [arrival for arrival in arrivals if arrival.billed and arrival.item_id in settled]
    doubles = _doubles(
        connection, source, [arrival for arrival in arrivals if arrival.billed and arrival.item_id not in settled]
    )
    _add_up(connection, source, kept, settled, paid_twice=False)
    if doubles:
        owners = _owners(connection, source, [double.item_id for double in doubles])
        _add_up(connection, source, doubles, owners, paid_twice=True)
    return doubles


def _owners(connection: Connection, source: Source, item_ids: list[int]) -> dict[int, _Owners]:
    """Whose items are; of those that a restored ledger has forgotten, only the lane of their batch is known."""
    owners = fetch_all(
        connection,
        _Owners,
        """
        SELECT asked.id, coalesce(item.lane_id, batch.lane_id) AS lane_id, item.tenant_id, item.run_id
        FROM unnest(CAST(:ids AS bigint[])) AS asked (id)
        LEFT JOIN batch ON batch.id = :batch_id LEFT JOIN item ON item.id = asked.id
        """,
        ids=item_ids,
        batch_id=source.batch_id,
    )
    return {owner.id: owner for owner in owners}


def _add_up(
    connection: Connection,
    source: Source,
    billed: Sequence[Arrival],
    items: Mapping[int, Owned],
    *,
    paid_twice: bool,
) -> None:
    """Add to the spending what was billed: a row for each lane, tenant, run and model, with a price or without."""
    parts: defaultdict[tuple[int, int | None, int | None, str | None, bool], list[Arrival]] = defaultdict(list)
    for arrival in billed:
        item = items[arrival.item_id]
        parts[item.lane_id, item.tenant_id, item.run_id, arrival.model, arrival.cost_nano is None].append(arrival)
    lines = (
        b"%b\t%d\t%b\t%b\t%b\t%d\t%d\t%d\t%b\t%b\n"
        % (
            copy_number(source.submission_id),
            lane_id,
            copy_number(tenant_id),
            copy_number(run_id),
            copy_foreign(model or ""),
            len(part),
            len(part) if paid_twice else 0,
            len(part) if is_unpriced else 0,
            b"0\t0" if is_unpriced else _sums(_MONEY_COUNTERS, part),
            _sums(_SPENT_COUNTERS, part),
        )
        for (lane_id, tenant_id, run_id, model, is_unpriced), part in parts.items()
    )
    if parts:
        copy_lines(
            connection,
            "spending (submission_id, lane_id, tenant_id, run_id, model, answers, paid_twice, unpriced,"
            f" {_MONEY}, {_SPENT})",
            b"".join(lines),
        )


def _sums(counters: Sequence[attrgetter[int]], part: Sequence[Arrival]) -> bytes:
    return b"\t".join(b"%d" % sum(map(counter, part)) for counter in counters)


def _doubles(connection: Connection, source: Source, unkept: list[Arrival]) -> list[Arrival]:
    """Those that weren't recorded before, written."""
    if not unkept:
        return []
    known = set(
        fetch_column(
            connection,
            int,
            """
            SELECT item_id FROM outcome WHERE item_id = ANY(:ids) AND submission_id = :submission_id
            UNION ALL SELECT item_id FROM double WHERE item_id = ANY(:ids) AND submission_id = :submission_id
            """,
            ids=[arrival.item_id for arrival in unkept],
            submission_id=source.submission_id,
        )
    )
    new = [arrival for arrival in unkept if arrival.item_id not in known]
    if new:
        lines = (
            b"%d\t%b\t%b\t%b\n"
            % (arrival.item_id, copy_number(source.submission_id), counted(arrival), copy_foreign(arrival.model or ""))
            for arrival in new
        )
        copy_lines(connection, f"double (item_id, submission_id, {COUNTED}, model)", b"".join(lines))
    return new
