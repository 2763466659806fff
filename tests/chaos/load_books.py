"""The books of a whole installation, when it has come to rest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from overnight_models.ledger.documents import delivery_id
from tests.chaos.products import Confirmed
from tests.faults.installed import Installed
from tests.faults.orders import Json
from tests.sums import Printed, assert_sums_are_right, nano, printed


@dataclass(frozen=True)
class Doubles:
    """Items with more than one bill, and the bills beside the first."""

    items: int
    by_two_batches: int
    in_real_time_too: int
    """Raced; or sent again in real time after a call whose answer came after all."""
    unexplained: int
    """Beside which there is no other bill of the same item, by another create or call."""

    @property
    def bills(self) -> int:
        """All of them, whatever they are explained by."""
        return self.by_two_batches + self.in_real_time_too + self.unexplained


@dataclass(frozen=True)
class Books:
    """What was asked for and what came of it. It held when nothing is wrong."""

    accepted: int
    unreadable: int
    """Answers that nobody can read: kept as they came, and billed."""
    batches: int
    creates: int
    billed: int
    nanodollars: int
    doubts: int
    """Direct calls that may have been billed and brought no answer."""
    doubts_billed: int
    """Those of them that the API billed."""
    delivered: int
    repeats: int
    submissions: Mapping[str, int]
    """By their last state; `adopted` are those that were found by their token."""
    doubles: Doubles
    lost: int
    """Items, outcomes and deliveries that aren't there."""
    wrong: tuple[str, ...] = field(default=())
    """Every sentence that should be true and isn't."""


@dataclass
class _Money:
    """What all lanes were billed: by the ledger, and beyond that by the API."""

    answers: int = 0
    paid_twice: int = 0
    creates: int = 0
    nanodollars: int = 0
    doubts: int = 0
    doubts_billed: int = 0


def close_the_books(
    overnight: Installed, confirmed: Sequence[Confirmed], lanes: Sequence[str], got: Sequence[str]
) -> Books:
    """Everything that products were told is in, against the ledger, the API's meter and what came to the products.

    lanes: all of them, each with a workspace of its own.
    got: the delivery ids that came, repeats included.
    """
    wrong: list[str] = []
    asked = sum(order.items for order in confirmed)
    own = _items(overnight, confirmed, asked, wrong)
    money = _money(overnight, lanes, wrong)
    _note(
        wrong,
        money.answers - asked == money.paid_twice,
        f"{money.answers} bills, {asked} asked for, {money.paid_twice} shown as paid twice",
    )
    doubles = _doubles(overnight, money, wrong)
    missing = _deliveries(overnight, got, wrong)
    try:
        assert_sums_are_right(overnight.rows)
    except AssertionError as error:
        wrong.append(f"not what it is the sum of: {error}")
    return Books(
        accepted=own["items"],
        unreadable=own["unreadable"],
        batches=overnight.number("SELECT count(*) FROM batch"),
        creates=money.creates,
        billed=money.answers,
        nanodollars=money.nanodollars,
        doubts=money.doubts,
        doubts_billed=money.doubts_billed,
        delivered=len(set(got)),
        repeats=len(got) - len(set(got)),
        submissions=_submissions(overnight),
        doubles=doubles,
        lost=(asked - own["answers"]) + missing,
        wrong=tuple(wrong),
    )


def _items(overnight: Installed, confirmed: Sequence[Confirmed], asked: int, wrong: list[str]) -> Json:
    """Everything confirmed is there once, and has its answer: one that can be read, or one kept as it came."""
    (own,) = overnight.rows(
        """
        SELECT count(*) AS items, count(*) FILTER (WHERE item.state = 'succeeded') AS succeeded,
               count(outcome.item_id) AS outcomes,
               count(coalesce(outcome.message, outcome.body_group::text)) AS answers,
               count(*) FILTER (WHERE problem = 'invalid_output' AND outcome.message LIKE '%%"line_base64"%%'
                                AND EXISTS (SELECT FROM bill WHERE bill.item_id = item.id AND kept AND cost_nano > 0))
               AS unreadable, count(DISTINCT request.key) AS keys
        FROM item LEFT JOIN outcome ON outcome.item_id = item.id JOIN request ON request.item_id = item.id
        """
    )
    in_runs = {
        row["name"]: row["n"]
        for row in overnight.rows(
            "SELECT run.name, count(*) AS n FROM item JOIN run ON run.id = item.run_id GROUP BY run.name"
        )
    }
    missing = {
        order.run: order.items - in_runs.get(order.run, 0)
        for order in confirmed
        if in_runs.get(order.run) != order.items
    }
    _note(wrong, missing == {}, f"confirmed items aren't there: {missing}")
    _note(wrong, own["items"] == own["keys"] == asked, f"{own['items']} rows, {own['keys']} keys, {asked} confirmed")
    whole = own["succeeded"] + own["unreadable"] == own["outcomes"] == own["answers"] == asked
    failures = (
        [] if whole else overnight.rows("SELECT problem, detail, via, count(*) FROM whole_outcome GROUP BY 1, 2, 3")
    )
    _note(wrong, whole, f"not all answered: {own}, {failures}")
    return own


def _money(overnight: Installed, lanes: Sequence[str], wrong: list[str]) -> _Money:
    """In each lane the meter is what the ledger says, and what may have been billed, none of which is said wrongly."""
    shown_costs = overnight.command("costs", "--json")
    costs = printed(shown_costs)
    money = _Money()
    for lane in lanes:
        own = costs.get(lane, Printed(0, 0, 0, 0))
        meter = overnight.meter(f"wrkspc_sandbox_{lane}")
        sent, doubts = _sent(overnight, lane), _doubts(overnight, lane)
        _note(
            wrong,
            (sent["creates"], sent["requests"]) == (meter.creates, meter.requests),
            f"{lane}: the ledger knows {sent}, the API accepted {meter}",
        )
        more, more_nano = meter.billed - own.answers, meter.nanodollars - own.nano
        _note(
            wrong,
            0 <= more <= doubts["calls"] and 0 <= more_nano <= doubts["nano"] and (more > 0) == (more_nano > 0),
            f"{lane}: `overnight costs` says {own}, the API {meter}; what may have been billed is {doubts}",
        )
        money.answers += own.answers
        money.paid_twice += own.paid_twice
        money.creates += meter.creates
        money.nanodollars += own.nano
        money.doubts += doubts["calls"]
        money.doubts_billed += more
    shown = json.loads(shown_costs)["maybe_billed"]
    at_most = overnight.number("SELECT sum(cost_nano) FROM maybe_billed")
    _note(
        wrong,
        (shown["calls"], nano(shown["at_most_usd"])) == (money.doubts, at_most),
        f"`overnight costs` says that {shown} may have been billed, and not {money.doubts} calls, {at_most}",
    )
    return money


def _sent(overnight: Installed, lane: str) -> Json:
    (sent,) = overnight.rows(
        """
        SELECT count(*) AS creates, coalesce(sum(submission.items), 0)::bigint AS requests FROM submission
        JOIN batch ON batch.id = submission.batch_id JOIN headers ON headers.id = batch.headers_id
        WHERE headers.workspace = %s AND submission.api_id IS NOT NULL
        """,
        lane,
    )
    return sent


def _doubts(overnight: Installed, lane: str) -> Json:
    (doubts,) = overnight.rows(
        """
        SELECT count(*) AS calls, coalesce(sum(cost_nano), 0)::bigint AS nano
        FROM maybe_billed JOIN lane ON lane.id = maybe_billed.lane_id WHERE lane.name = %s
        """,
        lane,
    )
    return doubts


def _doubles(overnight: Installed, money: _Money, wrong: list[str]) -> Doubles:
    """Each double is two bills of one item, by two creates or calls; and the API billed as many requests twice."""
    (row,) = overnight.rows(
        """
        WITH bills AS (
            SELECT bill.*, EXISTS (SELECT FROM submission WHERE id = submission_id AND api_id IS NOT NULL) AS by_batch
            FROM bill
        ), double AS (
            SELECT bills.*, EXISTS (
                SELECT FROM bills other WHERE other.item_id = bills.item_id AND other.kept
                AND other.submission_id <> bills.submission_id AND other.by_batch AND bills.by_batch
            ) AS by_two_batches, EXISTS (
                SELECT FROM bills other WHERE other.item_id = bills.item_id AND other.kept
                AND other.submission_id <> bills.submission_id AND NOT (other.by_batch AND bills.by_batch)
            ) AS in_real_time_too
            FROM bills WHERE NOT kept
        )
        SELECT count(DISTINCT item_id) AS items, count(*) FILTER (WHERE by_two_batches) AS by_two_batches,
               count(*) FILTER (WHERE in_real_time_too) AS in_real_time_too,
               count(*) FILTER (WHERE NOT by_two_batches AND NOT in_real_time_too) AS unexplained
        FROM double
        """
    )
    doubles = Doubles(**row)
    twice = overnight.billed_twice()
    _note(
        wrong,
        doubles.items <= twice <= doubles.items + money.doubts_billed,
        f"billed twice: {twice} by the API's meter, {doubles} by the ledger, {money.doubts_billed} unanswered calls",
    )
    _note(
        wrong,
        doubles.unexplained == 0 and doubles.bills == money.paid_twice,
        f"`overnight costs` shows {money.paid_twice} as paid twice, the bill has {doubles}",
    )
    return doubles


def _deliveries(overnight: Installed, got: Sequence[str], wrong: list[str]) -> int:
    """Each outcome came to its product. Returns how many didn't."""
    due = {delivery_id(row["receipt"]) for row in overnight.rows("SELECT receipt FROM request")}
    _note(wrong, set(got) == due, f"{len(due - set(got))} not delivered, {len(set(got) - due)} nobody's")
    _note(wrong, not overnight.rows("SELECT 1 FROM every_delivery WHERE state <> 'delivered'"), "deliveries are dead")
    return len(due - set(got))


def _submissions(overnight: Installed) -> dict[str, int]:
    return {
        row["state"]: row["n"]
        for row in overnight.rows(
            """
            SELECT state, count(*) AS n FROM submission GROUP BY state
            UNION ALL SELECT 'adopted', count(*) FROM sighting WHERE ours
            UNION ALL SELECT 'strangers', count(*) FROM sighting WHERE NOT ours
            """
        )
    }


def _note(wrong: list[str], so: bool, otherwise: str) -> None:
    if not so:
        wrong.append(otherwise)
