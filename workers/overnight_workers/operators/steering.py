"""Steering: what a person does at once to a lane, a workspace, a budget or a batch, checked and recorded.

The same for the command line and for Flower.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from overnight_models import routes
from overnight_models.errors import PermanentError
from overnight_models.ledger import deployment, workspaces
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.deliver import obstacles
from overnight_models.ledger.money import budgets
from overnight_models.ledger.money.budgets import BudgetView, Of, Period
from overnight_models.ledger.operators import actions, canceling, lanes
from overnight_models.ledger.operators.actions import By
from overnight_models.ledger.operators.canceling import Prospect
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.quantities import NANO_PER_DOLLAR, several
from overnight_models.wire.message import WEBHOOK
from overnight_models.wire.outcome import dollars
from overnight_workers.operators import operator_overrides, words
from overnight_workers.operators.foreign_texts import everybody
from overnight_workers.process import database, names, prices
from overnight_workers.settings import settings
from overnight_workers.stages import doorbell


def known_lane(name: str) -> str:
    """The same name. Raises PermanentError when the configuration has no such lane."""
    known = settings().lanes
    if name not in known:
        raise PermanentError(f"there is no lane {name!r}: the configuration has {', '.join(known)}")
    return name


def pause(lane: str, by: By) -> str:
    """Pack and submit nothing more of a lane. Returns what was done, as a person says it."""
    known_lane(lane)
    with database().transaction() as connection:
        paused = lanes.pause(connection, names().lane(lane), by.reason or "paused by an operator", by.actor)
        if paused:
            actions.note(connection, "pause", {"lane": lane}, by)
    return f"lane {lane} {'is paused' if paused else 'was paused already'}"


def resume(lane: str, by: By) -> str:
    """Go on with a paused lane; batches of it that were rejected are tried whole."""
    known_lane(lane)
    if why_paused(lane) is None:
        return f"lane {lane} was not paused"
    # in a transaction of its own: the lane isn't locked for as long as its items may be read
    with database().transaction() as connection:
        going = canceling.unsent(connection, prices(), lane=lane)
    with database().transaction() as connection:
        again = lanes.resume(connection, names().lane(lane))
        if again is not None:
            actions.note(connection, "resume", {"lane": lane}, by, items=going.items, most_nano=_at_most(going))
    said = f"lane {lane} {'was not paused' if again is None else 'goes on'}"
    return f"{said}; {again:,} of its rejected batches are tried whole again" if again else said


def drain(lane: str, by: By) -> str:
    """Empty a lane: what is in it goes at once, then it is paused. Raises PermanentError when it is paused."""
    known_lane(lane)
    # in a transaction of its own: the lane isn't locked for as long as its items may be read
    with database().transaction() as connection:
        most_nano = _at_most(_waiting(connection, lane))
    with database().transaction() as connection:
        waiting = lanes.drain(connection, names().lane(lane), by.actor)
        if waiting is not None:
            actions.note(connection, "drain", {"lane": lane}, by, items=waiting, most_nano=most_nano)
    if waiting is None:
        raise PermanentError(f"lane {lane} is paused, so nothing of it is sent: `overnight resume {lane}` first")
    doorbell.ring(routes.PACK)
    return f"lane {lane} drains: {several(waiting, 'item that waits is', 'items that wait are')} packed at once"


def waiting_in(lane: str) -> str:
    """How many items wait in a lane now, as a person says it. It is read from the tally: whoever pauses, hurries."""
    with database().transaction() as connection:
        items = sum(state.waiting for state in lanes.states(connection) if state.name == lane)
    return f"{several(items, 'item waits', 'items wait')} in it"


def cost_of_waiting_in(lane: str) -> str:
    """The same, and what they may cost."""
    with database().transaction() as connection:
        waiting = _waiting(connection, lane)
    said = f"{several(waiting.items, 'item waits', 'items wait')} in it"
    return f"{said}, for {_most(waiting)}" if waiting.items else said


def cost_of_resuming(lane: str) -> str:
    """How many items of a lane go when it isn't paused any more, and what they may cost."""
    with database().transaction() as connection:
        return _going(canceling.unsent(connection, prices(), lane=lane))


def _going(items: Prospect) -> str:
    number = several(items.items, "item that isn't sent yet goes on", "items that aren't sent yet go on")
    return f"{number}: {_most(items)}" if items.items else "no item of it waits to be sent"


def items_of_batch(batch: int) -> str:
    """How many unfinished items a batch has, and what sending them costs, as a person says it."""
    items = _items_now(batch)
    return f"it has {several(items.items, 'unfinished item')}: {_most(items)}"


def _waiting(connection: Connection, lane: str) -> Prospect:
    return canceling.prospect(connection, ItemFilter(lane=lane, state="waiting"), prices())


def _of_batch(connection: Connection, batch: int) -> Prospect:
    return canceling.prospect(connection, ItemFilter(batch_id=batch), prices())


def _at_most(items: Prospect) -> int:
    """What they cost in all, in nano-dollars; those without a price aren't in it."""
    return items.unsent_nano + items.sent_nano


def _most(items: Prospect) -> str:
    unpriced = f", beside {items.unpriced:,} whose model has no price" if items.unpriced else ""
    return f"${dollars(_at_most(items))} at the most{unpriced}"


def why_paused(lane: str) -> str | None:
    """That a lane is paused, by whom and why; None when it goes."""
    with database().transaction() as connection:
        state = next((state for state in lanes.states(connection) if state.name == lane), None)
    if state is None or state.paused_at is None:
        return None
    why = everybody(state.paused_reason) or "no reason given"
    return f"lane {lane} is paused by {state.paused_by or 'Overnight'}: {why}"


def held() -> list[str]:
    """What `release` would let go, in words; empty when nothing is held."""
    with database().transaction() as connection:
        spaces = [space for space in workspaces.workspaces(connection) if space.held_reason]
        unlooked, moved = deployment.unlooked(connection), deployment.read(connection)
        going = _unsent(connection)
    said = [
        f"workspace {space.name} is held: {everybody(space.held_reason)}\nof it {_going(going[space.name])}"
        for space in spaces
    ]
    if moved.word_wanted:
        of_all = canceling.added(going.values())
        said.append(f"this ledger lives in another database than it did, and asks for a word\nof it {_going(of_all)}")
    return said + [
        f"workspace {workspace} waits for a look at the API\nof it {_going(going[workspace])}" for workspace in unlooked
    ]


def _unsent(connection: Connection) -> dict[str, Prospect]:
    """What each workspace may send as soon as nothing holds it."""
    return {
        space.name: canceling.unsent(connection, prices(), workspace=space.name)
        for space in workspaces.workspaces(connection)
    }


def budget_of(of: Of, name: str, period: Period) -> BudgetView | None:
    """A budget as it is now; None when nobody has set it."""
    with database().transaction() as connection:
        known = budgets.budgets(connection)
    return next((budget for budget in known if (budget.of, budget.name, budget.period) == (of, name, period)), None)


def needed_by(budget: BudgetView) -> str:
    """What a budget holds, and the cap that has room for all of it, as a person says it."""
    if not budget.held:
        return "it holds nothing"
    with database().transaction() as connection:
        needed = budgets.needed(connection, budget.id)
    unbounded = f", beside {needed.unbounded:,} whose most isn't known" if needed.unbounded else ""
    cap_nano = budget.spent_nano + budget.reserved_nano + needed.nano
    return (
        f"{words.held(budget)}: ${dollars(needed.nano)} at the most{unbounded}\n"
        f"a cap of ${dollars(cap_nano)} has room for all of them"
    )


def release(by: By, *, anyway: bool = False) -> list[str]:
    """Try workspaces again that money or permission held, and let a ledger that moved send.

    anyway: also where not everything at the API was looked at: what is sent again is paid twice.
    """
    with database().transaction() as connection:
        going = _unsent(connection)
    with database().transaction() as connection:
        released = [
            workspace.name
            for workspace in workspaces.workspaces(connection)
            if workspace.held_reason and workspaces.release(connection, workspace.name)
        ]
        may_send = deployment.give_word(connection)
        unlooked = deployment.unlooked(connection)
        moved_at = deployment.read(connection).moved_at
        if anyway and moved_at is not None:
            unlooked = [name for name in unlooked if deployment.looked(connection, name, moved_at)]
        if released or may_send or (anyway and unlooked):
            # once a ledger that moved may send, every workspace does
            names_let_go = going.keys() if may_send else {*released, *(unlooked if anyway else ())}
            let_go = canceling.added(going[name] for name in names_let_go if name in going)
            wish: actions.Wish = {"workspaces": released, "anyway": anyway}
            actions.note(connection, "release", wish, by, items=let_go.items, most_nano=_at_most(let_go))
    said = [f"workspace {workspace} is tried again" for workspace in released]
    if may_send:
        said.append("this ledger may send: its original doesn't run any more")
    news = "is sent to without a look" if anyway else "is sent to when everything at the API was looked at"
    return said + [f"workspace {workspace} {news}" for workspace in unlooked]


def known_webhook(name: str) -> str:
    """The same name. Raises PermanentError when the configuration has no such webhook."""
    known = settings().webhooks
    if name not in known:
        raise PermanentError(f"the configuration has no [webhooks.{name}] (there are: {', '.join(known) or 'none'})")
    return name


def why_kept(webhook: str) -> str | None:
    """What stands in the way of a webhook; None when nothing does."""
    with database().transaction() as connection:
        away = {obstacle.broker: obstacle.why for obstacle in obstacles.unreachable_brokers(connection)}
    why = away.get(f"{WEBHOOK}{webhook}")
    return None if why is None else everybody(why, names=(webhook,))


def resume_webhook(name: str, by: By) -> str:
    """Have a webhook tried at once, whatever it waits for. Raises PermanentError when there is none of this name."""
    known_webhook(name)
    with database().transaction() as connection:
        was_in_the_way = obstacles.look_again(connection, f"{WEBHOOK}{name}")
        if was_in_the_way:
            actions.note(connection, "resume webhook", {"webhook": name}, by)
    return f"{name} is tried within seconds" if was_in_the_way else f"nothing stands in the way of {name}"


def nano_of(text: str) -> int:
    """A sum of dollars, as a person writes it, in nano-dollars. Raises PermanentError."""
    try:
        nano = Decimal(text.strip().removeprefix("$").replace(",", "")) * NANO_PER_DOLLAR
    except InvalidOperation as error:
        raise PermanentError(f"{text!r} is not a sum of dollars, such as 50 or 0.25") from error
    if not nano.is_finite() or nano < 0 or nano != int(nano) or nano > 2**62:
        raise PermanentError(f"{text!r} is not a sum of dollars: from 0 up, in whole nano-dollars")
    return int(nano)


def set_cap(of: Of, name: str, period: Period, cap_nano: int | None, by: By, *, strict: bool | None = None) -> None:
    """Set, raise, lower or (None) take away what a lane, a tenant or a run may spend. Raises PermanentError."""
    if of == "lane":
        known_lane(name)
    number = {"lane": names().lane, "tenant": names().tenant, "run": names().run}[of](name)
    assert number is not None
    with database().transaction() as connection:
        if cap_nano is not None:
            budgets.set_budget(connection, of, number, period, cap_nano, prices(), strict=strict)
        elif not budgets.remove_budget(connection, of, number, period):
            raise PermanentError(f"{of} {name} has no such budget")
        actions.note(connection, "budget", {of: name, "period": period}, by, most_nano=cap_nano)


def adopt(batch: int, api_id: str, by: By) -> str:
    """An unclear batch is the one of this id at the API, a person says. Raises as `operator_overrides.adopt`."""
    items = _items_now(batch)
    said = operator_overrides.adopt(batch, api_id)
    _note_decision({"batch": batch, "adopt": api_id}, by, items)
    return said


def never_created(batch: int, by: By) -> str:
    """An unclear batch was never created, a person says. Raises CantDecide."""
    items = _items_now(batch)
    said = operator_overrides.never_created(batch, by.actor)
    _note_decision({"batch": batch, "never_created": True}, by, items)
    return said


def gone(batch: int, by: By) -> str:
    """The results of a batch can't be had any more, a person says: its items fail. Raises CantDecide."""
    items = _items_now(batch)
    said = operator_overrides.gone(batch, by.actor)
    _note_decision({"batch": batch, "gone": True}, by, items)
    return said


def _items_now(batch: int) -> Prospect:
    with database().transaction() as connection:
        return _of_batch(connection, batch)


def _note_decision(wish: actions.Wish, by: By, items: Prospect) -> None:
    """items: what the decision is about, and may cost: what was said before is what is kept."""
    with database().transaction() as connection:
        actions.note(connection, "decide", wish, by, items=items.items, most_nano=_at_most(items))
