"""What an operator does from a page: each act says first what it would do and cost, and then does it.

The calls and checks are those of the command line (`operators/acting.py`, `operators/steering.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Literal, cast

from overnight_models.errors import PermanentError
from overnight_models.ledger.deliver.replay import Replayed
from overnight_models.ledger.money.budgets import Of, Period
from overnight_models.ledger.operators.actions import By
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.wire.outcome import dollars
from overnight_workers.flower_tab import catalog_acts, delivery_acts
from overnight_workers.flower_tab.proposals import Act, Done, Fields, Proposal
from overnight_workers.operators import acting, item_filter, operator_overrides, steering, words
from overnight_workers.operators.preview import Preview


def _filter(fields: Fields) -> ItemFilter:
    wanted = item_filter.read({word: fields[word] for word in item_filter.WORDS if word in fields})
    item_filter.check(wanted)
    return wanted


def _many(preview: Callable[[Fields], Preview], title: str, verb: str, *, is_dangerous: bool = False) -> Act:
    """An act on a selection or on a whole filter."""

    def propose(fields: Fields) -> Proposal:
        preview_ = preview(fields)
        wanted = _filter(fields)
        return Proposal(
            f"{title}: {item_filter.spoken(wanted)}",
            preview_.text,
            verb,
            is_possible=preview_.items > 0,
            is_dangerous=is_dangerous,
            needs_all=wanted.is_everything,
        )

    def perform(fields: Fields, by: By) -> Done:
        if _filter(fields).is_everything and fields.get("everything") != "yes":
            raise PermanentError("everything? Narrow the filter down, or tick that all of them are meant")
        preview_ = preview(fields)
        begun = acting.begin(preview_, by)
        return Done(preview_.text, begun.id)

    return Act(propose, perform)


def _replayed(fields: Fields) -> Preview:
    """Deliveries by the words that a replay knows. Raises PermanentError for others."""
    wanted = _filter(fields)
    state = wanted.delivery or "dead"
    if state not in ("dead", "delivered"):
        raise PermanentError(f"only dead and delivered deliveries are replayed, and not those that are {state}")
    others = replace(wanted, lane=None, run=None, key=None, delivery=None, queue=None, ids=None)
    if not others.is_everything:
        raise PermanentError(
            f"a replay is narrowed by lane, run, key, queue and selection, and not by {', '.join(others.narrowed)}:"
            " select the items, or leave that out"
        )
    return acting.preview_replay(
        Replayed(
            state=cast("Literal['dead', 'delivered']", state),
            lane=wanted.lane,
            run=wanted.run,
            key=wanted.key,
            ids=wanted.ids,
            queue=wanted.queue,
        )
    )


def _proposed(title: str, text: str, verb: str, why_not: str | None, *, is_dangerous: bool = False) -> Proposal:
    """A proposal, or why it can't be done now: what a button offers, it does."""
    return Proposal(title, why_not or text, verb, is_possible=why_not is None, is_dangerous=is_dangerous)


def _of_lane(
    title: str,
    text: str,
    verb: str,
    perform: Callable[[str, By], str],
    why_not: Callable[[str], str | None],
    *,
    about_items: Callable[[str], str] = steering.waiting_in,
    is_dangerous: bool = False,
) -> Act:
    def propose(fields: Fields) -> Proposal:
        lane = steering.known_lane(fields.get("lane", ""))
        about = f"{text}\n{about_items(lane)}"
        return _proposed(title.format(lane), about, verb, why_not(lane), is_dangerous=is_dangerous)

    return Act(propose, lambda fields, by: Done(perform(fields.get("lane", ""), by)))


def _release() -> Act:
    text = (
        "Workspaces that money or permission held are tried at once, and a ledger that moved may send when everything"
        " at the API was looked at."
        "\nItems that a budget holds stay held: they go on when its cap is raised, under Money."
    )

    def propose(fields: Fields) -> Proposal:
        del fields
        held = steering.held()
        return _proposed(
            "Release held workspaces",
            "\n".join([text, *held]),
            "Release",
            None if held else "no workspace is held, and the ledger hasn't moved",
        )

    return Act(propose, lambda fields, by: Done("; ".join(steering.release(by)) or "no workspace is held"))


def _cap() -> Act:
    def chosen(fields: Fields) -> tuple[Of, str, Period]:
        of, name, period = fields.get("of", ""), fields.get("of_name", ""), fields.get("period", "")
        if (
            of not in ("lane", "tenant", "run")
            or not name
            or period not in (("all",) if of == "run" else ("day", "month"))
        ):
            raise PermanentError("a budget is of a lane, a tenant (by day or month) or a run (in all)")
        return cast("Of", of), name, cast("Period", period)

    def propose(fields: Fields) -> Proposal:
        of, name, period = chosen(fields)
        per = "in all" if period == "all" else f"a {period}"
        now = steering.budget_of(of, name, period)
        text = (
            "What it holds goes on by itself when there is room. What is on its way stays reserved."
            "\nA lane that is paused, and a workspace that is held, stay so: resume and release them, under Lanes."
        )
        if now is not None:
            spent = f"{words.dollars(now.spent_nano)} are spent and {words.dollars(now.reserved_nano)} reserved"
            text = f"The cap is {words.dollars(now.cap_nano)}: {spent}.\n{steering.needed_by(now)}.\n{text}"
        return Proposal(
            f"Change the cap of {of} {name}, {per}",
            text,
            "Change it",
            asks=(("cap", "New cap in dollars"),),
            is_now="" if now is None else dollars(now.cap_nano),
        )

    def perform(fields: Fields, by: By) -> Done:
        of, name, period = chosen(fields)
        cap_nano = steering.nano_of(fields.get("cap", ""))
        steering.set_cap(of, name, period, cap_nano, by)
        return Done(f"{of} {name} may spend ${dollars(cap_nano)} {'in all' if period == 'all' else f'a {period}'}")

    return Act(propose, perform)


def _batch(fields: Fields) -> int:
    number = fields.get("batch", "")
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        raise PermanentError(f"a batch is a number, and not {number!r}")
    return int(number)


def _decision(
    title: str,
    text: str,
    verb: str,
    perform: Callable[[int, Fields, By], str],
    why_not: Callable[[int], str | None],
    asks: tuple[tuple[str, str], ...] = (),
) -> Act:
    def propose(fields: Fields) -> Proposal:
        batch = _batch(fields)
        reason = why_not(batch)
        about = text if reason else f"{text}\n{steering.items_of_batch(batch)}"
        proposed = _proposed(title.format(batch), about, verb, reason, is_dangerous=not asks)
        return replace(proposed, asks=asks)

    return Act(propose, lambda fields, by: Done(perform(_batch(fields), fields, by)))


ACTS: Final[Mapping[str, Act]] = {
    "redo": _many(lambda fields: acting.preview_redo(_filter(fields)), "Try again", "Try them again"),
    "cancel": _many(
        lambda fields: acting.preview_cancel(_filter(fields)), "Cancel", "Take them back", is_dangerous=True
    ),
    "replay": _many(_replayed, "Send outcomes again", "Replay them"),
    "pause": _of_lane(
        "Pause lane {}",
        "Nothing more is packed or submitted. Items are still accepted, and wait. What is at Anthropic goes on.",
        "Pause it",
        steering.pause,
        steering.why_paused,
    ),
    "drain": _of_lane(
        "Drain lane {}",
        "What is in it goes at once, whatever its thresholds and hours say; when that has its outcomes, or is held by a"
        " budget, the lane is paused.",
        "Drain it",
        steering.drain,
        steering.why_paused,
        about_items=steering.cost_of_waiting_in,
        is_dangerous=True,
    ),
    "resume": _of_lane(
        "Resume lane {}",
        "It goes on; batches of it that were rejected are tried whole: mend first what they were rejected for.",
        "Resume it",
        steering.resume,
        lambda lane: None if steering.why_paused(lane) else f"lane {lane} isn't paused",
        about_items=steering.cost_of_resuming,
    ),
    "release": _release(),
    "cap": _cap(),
    "adopt": _decision(
        "Adopt an id for batch {}",
        "Say which batch at Anthropic it is. Its token still has to prove it: if you are wrong, nothing is lost.",
        "Adopt it",
        lambda batch, fields, by: steering.adopt(batch, fields.get("api_id", ""), by),
        operator_overrides.why_not_unclear,
        (("api_id", "Its id at Anthropic (msgbatch_…)"),),
    ),
    "never_created": _decision(
        "Batch {} was never created",
        "It is sent again. If it was created after all, it is found, collected and billed: paid twice.",
        "It never was: send it again",
        lambda batch, fields, by: steering.never_created(batch, by),
        operator_overrides.why_not_unclear,
    ),
    "gone": _decision(
        "Give up the results of batch {}",
        "Its unfinished items fail as given_up, and may be billed all the same.",
        "Give them up",
        lambda batch, fields, by: steering.gone(batch, by),
        operator_overrides.why_not_at_the_api,
    ),
    **delivery_acts.ACTS,
    **catalog_acts.ACTS,
}
"""By name, as a link says it."""


def known_act(name: str) -> Act:
    """An act by its name. Raises PermanentError."""
    if name not in ACTS:
        raise PermanentError(f"there is no act {name!r}: {', '.join(ACTS)}")
    return ACTS[name]
