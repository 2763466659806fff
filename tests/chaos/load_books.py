"""The books of a whole installation, when it has come to rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from overnight_models.ledger.documents import delivery_id
from tests.chaos.products import Confirmed
from tests.faults.installed import Installed
from tests.sums import Printed, assert_sums_are_right, printed


@dataclass(frozen=True)
class Books:
    """What was asked for and what came of it. It held when nothing is wrong."""

    accepted: int
    batches: int
    creates: int
    billed: int
    nanodollars: int
    delivered: int
    repeats: int
    submissions: Mapping[str, int]
    """By their last state; `adopted` are those that were found by their token."""
    duplicates: int
    """Requests that were billed twice."""
    lost: int
    """Items, outcomes and deliveries that aren't there."""
    wrong: tuple[str, ...] = field(default=())
    """Every sentence that should be true and isn't."""


def close_the_books(
    overnight: Installed, confirmed: Sequence[Confirmed], lanes: Sequence[str], got: Sequence[str]
) -> Books:
    """Everything that products were told is in, against the ledger, the API's meter and what came to the products.

    lanes: all of them, each with a workspace of its own.
    got: the delivery ids that came, repeats included.
    """
    wrong: list[str] = []
    (own,) = overnight.rows(
        """
        SELECT count(*) AS items, count(*) FILTER (WHERE item.state = 'succeeded') AS succeeded,
               count(outcome.item_id) AS outcomes, count(outcome.message) AS answers,
               count(DISTINCT request.key) AS keys
        FROM item LEFT JOIN outcome ON outcome.item_id = item.id JOIN request ON request.item_id = item.id
        """
    )
    asked = sum(one.items for one in confirmed)
    in_runs = {
        row["name"]: row["n"]
        for row in overnight.rows(
            "SELECT run.name, count(*) AS n FROM item JOIN run ON run.id = item.run_id GROUP BY run.name"
        )
    }
    missing = {one.run: one.items - in_runs.get(one.run, 0) for one in confirmed if in_runs.get(one.run) != one.items}
    _note(wrong, missing == {}, f"confirmed items aren't there: {missing}")
    _note(wrong, own["items"] == own["keys"] == asked, f"{own['items']} rows, {own['keys']} keys, {asked} confirmed")
    _note(wrong, own["succeeded"] == own["outcomes"] == own["answers"] == asked, f"not all answered: {own}")
    bills, doubles, creates, nanodollars = 0, 0, 0, 0
    costs = printed(overnight.command("costs", "--json"))
    for lane in lanes:
        told = costs.get(lane, Printed(0, 0, 0, 0))
        (sent,) = overnight.rows(
            """
            SELECT count(*) AS creates, coalesce(sum(submission.items), 0)::bigint AS requests FROM submission
            JOIN batch ON batch.id = submission.batch_id JOIN headers ON headers.id = batch.headers_id
            WHERE headers.workspace = %s AND submission.api_id IS NOT NULL
            """,
            lane,
        )
        meter = overnight.meter(f"wrkspc_sandbox_{lane}")
        own_words = (told.answers, told.nano, sent["creates"], sent["requests"])
        api_words = (meter.billed, meter.nanodollars, meter.creates, meter.requests)
        _note(
            wrong,
            own_words == api_words,
            f"{lane}: `overnight costs` and the ledger say {own_words}, the API {api_words}",
        )
        bills, doubles = bills + meter.billed, doubles + told.paid_twice
        creates, nanodollars = creates + meter.creates, nanodollars + meter.nanodollars
    twice = overnight.billed_twice()
    excused = overnight.number(
        """
        SELECT count(*) FROM submission
        WHERE api_id IS NOT NULL AND EXISTS (
            SELECT FROM submission other
            WHERE other.batch_id = submission.batch_id AND other.id < submission.id AND other.api_id IS NOT NULL
        )
        """
    )
    _note(wrong, bills - asked == doubles, f"{bills} billed, {asked} asked for, {doubles} shown as paid twice")
    _note(
        wrong,
        twice <= doubles and (doubles == 0 or excused > 0),
        f"paid twice: {twice} by the API's meter, {doubles} by the ledger, which knows of {excused} second batches",
    )
    due = {delivery_id(row["receipt"]) for row in overnight.rows("SELECT receipt FROM request")}
    _note(wrong, set(got) == due, f"{len(due - set(got))} not delivered, {len(set(got) - due)} nobody's")
    _note(wrong, not overnight.rows("SELECT 1 FROM delivery WHERE state <> 'delivered'"), "deliveries are dead")
    try:
        assert_sums_are_right(overnight.rows)
    except AssertionError as error:
        wrong.append(f"not what it is the sum of: {error}")
    return Books(
        accepted=own["items"],
        batches=overnight.number("SELECT count(*) FROM batch"),
        creates=creates,
        billed=bills,
        nanodollars=nanodollars,
        delivered=len(set(got)),
        repeats=len(got) - len(set(got)),
        submissions={
            row["state"]: row["n"]
            for row in overnight.rows(
                """
                SELECT state, count(*) AS n FROM submission GROUP BY state
                UNION ALL SELECT 'adopted', count(*) FROM sighting WHERE ours
                UNION ALL SELECT 'strangers', count(*) FROM sighting WHERE NOT ours
                """
            )
        },
        duplicates=max(twice, doubles),
        lost=(asked - own["answers"]) + len(due - set(got)),
        wrong=tuple(wrong),
    )


def _note(wrong: list[str], so: bool, otherwise: str) -> None:
    if not so:
        wrong.append(otherwise)
