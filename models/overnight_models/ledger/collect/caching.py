"""Caching: what a submission does with each of its prefixes, what came of it, and what that says for the next one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, NamedTuple

from overnight_models.ledger import prefixes
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all

if TYPE_CHECKING:
    from overnight_models.money.forecast import Lifetime

_ANSWERS_THAT_COUNT = 20
"""Fewer say little about how often a prefix is found."""


@dataclass(frozen=True)
class Group:
    """The requests of a batch that share a prefix and a model."""

    prefix_id: int
    model_id: int
    lane: str
    model: str
    requests: int
    prefix_bytes: int
    has_marks: bool
    """Its caller has set breakpoints in it."""
    primed: Literal["", "writes", "reads"] = ""
    """Whether this batch writes it ahead for others, or another one has done so within the day."""


@dataclass(frozen=True)
class Choice:
    """What is done with a group."""

    group: Group
    lifetime: Lifetime | None
    """None: it isn't cached."""
    why: str
    loses: bool = False
    """Caching it would cost more than it saves."""
    priming: Literal["ahead", "given up"] | None = None
    """It writes it for others; or nobody does any more, since that would cost more than it saves."""


class Subject(NamedTuple):
    """What a hit rate is of: a prefix, or all of a lane's."""

    prefix_id: int | None
    model_id: int
    lifetime: Lifetime


def groups(connection: Connection, batch_id: int) -> list[Group]:
    """What a batch's requests share."""
    return fetch_all(
        connection,
        Group,
        f"""
        SELECT prefix_id, model_id, lane.name AS lane, model.name AS model, shared.requests,
               {prefixes.BYTES} AS prefix_bytes,
               {prefixes.HAS_MARKS} AS has_marks,
               coalesce((
                   SELECT CASE WHEN primer.batch_id = :batch_id THEN 'writes' ELSE 'reads' END
                   FROM primer JOIN batch ON batch.id = :batch_id
                   WHERE primer.headers_id = batch.headers_id AND primer.prefix_id = shared.prefix_id
                     AND primer.model_id = shared.model_id AND at > now() - interval '1 day'
               ), '') AS primed
        FROM (
            SELECT prefix_id, model_id, lane_id, count(*) AS requests FROM item
            WHERE batch_id = :batch_id AND state = 'batched' AND prefix_id IS NOT NULL
            GROUP BY prefix_id, model_id, lane_id
        ) shared
        JOIN prefix ON prefix.id = prefix_id JOIN model ON model.id = model_id
        JOIN lane ON lane.id = shared.lane_id
        ORDER BY prefix_id, model_id
        """,
        batch_id=batch_id,
    )


def groups_of_items(connection: Connection, item_ids: Sequence[int]) -> list[Group]:
    """What items share that are sent in real time; with those of the last five minutes, which may have written it."""
    return fetch_all(
        connection,
        Group,
        f"""
        SELECT shared.prefix_id, shared.model_id, lane.name AS lane, model.name AS model,
               shared.requests + coalesce((
                   SELECT sum(caching.requests) FROM caching
                   WHERE caching.lane_id = shared.lane_id AND at > now() - interval '5 minutes'
                     AND caching.prefix_id = shared.prefix_id AND caching.model_id = shared.model_id
               ), 0)::bigint AS requests,
               {prefixes.BYTES} AS prefix_bytes,
               {prefixes.HAS_MARKS} AS has_marks
        FROM (
            SELECT prefix_id, model_id, lane_id, count(*) AS requests FROM item
            WHERE id = ANY(:ids) AND prefix_id IS NOT NULL GROUP BY prefix_id, model_id, lane_id
        ) shared
        JOIN prefix ON prefix.id = shared.prefix_id JOIN model ON model.id = shared.model_id
        JOIN lane ON lane.id = shared.lane_id
        ORDER BY shared.prefix_id, shared.model_id
        """,
        ids=list(item_ids),
    )


class _Measured(NamedTuple):
    """What was read from the cache and written to it, in tokens."""

    prefix_id: int | None
    model_id: int
    lifetime: Lifetime
    read: int
    written: int


def hit_rates(connection: Connection, lane: str) -> Mapping[Subject, Fraction]:
    """How much of what was cached in this lane was read and not written, in the last week, in tokens.

    Those that went ahead and wrote it for others are left out. What lies further back is forgotten, so that caching
    which was given up is tried again.
    """
    rows = fetch_all(
        connection,
        _Measured,
        """
        SELECT prefix_id, model_id, lifetime, sum(read_tokens)::bigint AS read, sum(written_tokens)::bigint AS written
        FROM caching JOIN lane ON lane.id = lane_id
        WHERE lane.name = :lane AND lifetime IS NOT NULL AND at > now() - interval '7 days'
          AND priming IS DISTINCT FROM 'ahead'
        GROUP BY GROUPING SETS ((prefix_id, model_id, lifetime), (model_id, lifetime))
        HAVING sum(answers) >= :enough AND sum(read_tokens + written_tokens) > 0
        """,
        lane=lane,
        enough=_ANSWERS_THAT_COUNT,
    )
    return {
        Subject(row.prefix_id, row.model_id, row.lifetime): Fraction(row.read, row.read + row.written) for row in rows
    }


def note(connection: Connection, submission_id: int, choices: Sequence[Choice]) -> None:
    """Keep what was chosen, and why."""
    execute(
        connection,
        """
        INSERT INTO caching (submission_id, prefix_id, model_id, lane_id, lifetime, why, loses, priming, requests)
        SELECT :submission_id, prefix_id, model_id, lane_id, lifetime, why, loses, priming, requests
        FROM submission JOIN batch ON batch.id = submission.batch_id,
             unnest(CAST(:prefixes AS integer[]), CAST(:models AS integer[]), CAST(:lifetimes AS text[]),
                    CAST(:whys AS text[]), CAST(:loses AS boolean[]), CAST(:primings AS text[]),
                    CAST(:requests AS integer[]))
                 AS chosen (prefix_id, model_id, lifetime, why, loses, priming, requests)
        WHERE submission.id = :submission_id
        ON CONFLICT DO NOTHING
        """,
        submission_id=submission_id,
        prefixes=[choice.group.prefix_id for choice in choices],
        models=[choice.group.model_id for choice in choices],
        lifetimes=[choice.lifetime for choice in choices],
        whys=[choice.why for choice in choices],
        loses=[choice.loses for choice in choices],
        primings=[choice.priming for choice in choices],
        requests=[choice.group.requests for choice in choices],
    )


def note_calls(
    connection: Connection, claim_id: int, lane_id: int, choices: Sequence[Choice], requests: Mapping[int, int]
) -> None:
    """The same of a direct claim, which chooses anew for each group that it takes.

    requests: of this group, by prefix.
    """
    execute(
        connection,
        """
        INSERT INTO caching (submission_id, prefix_id, model_id, lane_id, lifetime, why, loses, requests)
        SELECT :claim_id, prefix_id, model_id, :lane_id, lifetime, why, loses, requests
        FROM unnest(CAST(:prefixes AS integer[]), CAST(:models AS integer[]), CAST(:lifetimes AS text[]),
                    CAST(:whys AS text[]), CAST(:loses AS boolean[]), CAST(:requests AS integer[]))
             AS chosen (prefix_id, model_id, lifetime, why, loses, requests)
        ON CONFLICT (submission_id, prefix_id, model_id) DO UPDATE
        SET lifetime = excluded.lifetime, why = excluded.why, loses = excluded.loses, at = now(),
            requests = caching.requests + excluded.requests
        """,
        claim_id=claim_id,
        lane_id=lane_id,
        prefixes=[choice.group.prefix_id for choice in choices],
        models=[choice.group.model_id for choice in choices],
        lifetimes=[choice.lifetime for choice in choices],
        whys=[choice.why for choice in choices],
        loses=[choice.loses for choice in choices],
        requests=[requests[choice.group.prefix_id] for choice in choices],
    )


def measure(
    connection: Connection, submission_id: int, item_ids: list[int], read: list[int], written: list[int]
) -> None:
    """Add what new answers say of how much was read and how much was written, in tokens."""
    execute(
        connection,
        """
        UPDATE caching
        SET answers = caching.answers + new.answers, read_tokens = read_tokens + new.read,
            written_tokens = written_tokens + new.written
        FROM (
            SELECT prefix_id, model_id, count(*) AS answers, sum(answer.read) AS read, sum(answer.written) AS written
            FROM unnest(CAST(:ids AS bigint[]), CAST(:read AS bigint[]), CAST(:written AS bigint[]))
                 AS answer (id, read, written)
            JOIN item ON item.id = answer.id WHERE prefix_id IS NOT NULL
            GROUP BY prefix_id, model_id
        ) new
        WHERE submission_id = :submission_id
          AND caching.prefix_id = new.prefix_id AND caching.model_id = new.model_id
        """,
        submission_id=submission_id,
        ids=item_ids,
        read=read,
        written=written,
    )


@dataclass(frozen=True)
class GivenUp:
    """What has lost money in a lane, and is left alone."""

    lane: str
    model: str
    what: Literal["cached", "primed"]
    """What its prefixes are no more."""
    prefixes: int
    why: str


def given_up(connection: Connection) -> list[GivenUp]:
    """Where caching or priming was left alone in the last week because it loses money."""
    return fetch_all(
        connection,
        GivenUp,
        """
        SELECT lane.name AS lane, model.name AS model, what, count(DISTINCT prefix_id) AS prefixes,
               (array_agg(why ORDER BY at DESC))[1] AS why
        FROM caching JOIN lane ON lane.id = lane_id JOIN model ON model.id = model_id
        CROSS JOIN LATERAL (VALUES ('cached', loses), ('primed', priming = 'given up')) AS given (what, up)
        WHERE up AND at > now() - interval '7 days'
        GROUP BY lane.name, model.name, what ORDER BY lane.name, model.name, what
        """,
    )


def forget(connection: Connection, older_than_days: int = 30) -> int:
    """What was chosen long ago decides nothing any more."""
    execute(connection, "DELETE FROM primer WHERE at < now() - interval '7 days'")
    return execute(
        connection,
        "DELETE FROM caching WHERE at < now() - make_interval(days => :days)",
        days=older_than_days,
    )
