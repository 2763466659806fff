"""What stages fail at, for reasons of our own: a row for each thing, such as a batch, a lane, a queue or a workspace.

A row ends when that thing goes well. One that isn't tried again (a lane that was removed, a batch that was decided)
counts until a little after its next try was due.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all

MOST_OF_A_KIND: Final = 20
"""Things of one kind (lanes, items) that a stage is said to fail at, at once. The code knows which kinds there are."""
_MOST_CHARACTERS: Final = 200
"""Of what a thing is called: it is in an index."""


class Failing(NamedTuple):
    """One thing that a stage fails at, at the moment of reading."""

    stage: str
    """As `routes` names it."""
    what: str
    """As `batch 7`; empty: a task as a whole."""
    since_s: float
    why: str
    """The last reason."""

    @property
    def said(self) -> str:
        """What failed, and why."""
        return f"{self.what}: {self.why}" if self.what else self.why


def note(connection: Connection, stage: str, what: str, why: str, *, lasts_s: float, keep_known: bool = False) -> None:
    """A stage failed at something. That counts for so long, or until it fails or succeeds there again.

    Where as many of its kind fail, nothing is noted: there is an alarm, and the next try notes it when there is room.

    keep_known: the reason that is known of it stays.
    """
    execute(
        connection,
        f"""
        INSERT INTO failure (stage, what, until, why)
        SELECT :stage, CAST(:what AS text), now() + make_interval(secs => :lasts_s), :why
        WHERE {MOST_OF_A_KIND} > (
            SELECT count(*) FROM failure
            WHERE stage = :stage AND what <> :what AND until > now()
              AND split_part(what, ' ', 1) = split_part(CAST(:what AS text), ' ', 1)
        )
        ON CONFLICT (stage, what) DO UPDATE
        SET seen_at = now(), until = greatest(failure.until, excluded.until),
            why = CASE WHEN :keep_known THEN failure.why ELSE excluded.why END
        """,
        stage=stage,
        what=_name(what),
        why=_storable(why),
        lasts_s=lasts_s,
        keep_known=keep_known,
    )


def end(connection: Connection, stage: str, what: str) -> None:
    """What a stage failed at has gone well."""
    execute(connection, "DELETE FROM failure WHERE stage = :stage AND what = :what", stage=stage, what=_name(what))


def forget(connection: Connection) -> None:
    """What hasn't been tried again is gone. What is tried again within ten minutes has failed since it first did."""
    execute(connection, "DELETE FROM failure WHERE until < now() - interval '10 minutes'")


def failing(connection: Connection) -> Sequence[Failing]:
    """What stages fail at now, by stage, what has failed longest first; what workers of earlier versions said, too."""
    return fetch_all(
        connection,
        Failing,
        """
        SELECT stage, what, extract(epoch FROM now() - since)::float AS since_s, why
        FROM (
            SELECT stage, what, since, why FROM failure WHERE until > now()
            UNION ALL
            SELECT stage, '', failing_since, failing_why FROM pulse WHERE failing_until > now()
        ) AS known
        ORDER BY stage, since, what
        """,
    )


def _name(subject: str) -> str:
    return _storable(subject)[:_MOST_CHARACTERS]


def _storable(text: str) -> str:
    """No text in Postgres holds a zero byte."""
    return text.replace("\x00", "\ufffd")
