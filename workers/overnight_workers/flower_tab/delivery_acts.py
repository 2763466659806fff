"""What an operator does at both ends: a webhook that is tried at once, messages of an inbox that are taken on again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from overnight_models.errors import OvernightError, PermanentError
from overnight_models.ledger.operators.actions import By
from overnight_models.quantities import several
from overnight_workers.flower_tab.proposals import Act, Done, Fields, Proposal
from overnight_workers.operators import put_aside, steering
from overnight_workers.operators.foreign_texts import everybody


def _resume_webhook(fields: Fields) -> Proposal:
    name = steering.known_webhook(fields.get("webhook", ""))
    why = steering.why_kept(name)
    return Proposal(
        f"Try webhook {name} at once",
        f"It is kept back: {why}.\nIts deliveries go on within seconds; nothing is paid again."
        if why
        else f"nothing stands in the way of webhook {name}",
        "Try it now",
        is_possible=why is not None,
    )


def _retry_put_aside(fields: Fields) -> Proposal:
    name = fields.get("relay", "")
    relay = put_aside.known_relay(name)
    try:
        aside = put_aside.all_of(relay)
    except OvernightError as error:
        raise PermanentError(
            f"the database of relay {name} can't be read from here: {everybody(str(error))}. Where the relay runs,"
            f" `overnight inbox retry {name}` does it"
        ) from error
    if not aside.messages:
        return Proposal(f"Take on again what relay {name} put aside", "it put nothing aside", "", is_possible=False)
    number = several(aside.messages, "message was", "messages were")
    text = (
        f"{number} put aside, with {several(aside.items, 'item')}; the last: {everybody(aside.why)}."
        "\nMend first what they say. What is in the ledger of them stays as it is; the others are accepted as if they"
        " came now.\nWhat they cost isn't known before they are accepted; budgets hold them as they hold all others."
    )
    return Proposal(f"Take on again what relay {name} put aside", text, "Take them on again")


def _take_on_again(fields: Fields, by: By) -> Done:
    number = put_aside.retry(fields.get("relay", ""), (), by)
    return Done(f"{several(number, 'message is', 'messages are')} taken on again")


ACTS: Final[Mapping[str, Act]] = {
    "resume_webhook": Act(
        _resume_webhook, lambda fields, by: Done(steering.resume_webhook(fields.get("webhook", ""), by))
    ),
    "retry_put_aside": Act(_retry_put_aside, _take_on_again),
}
"""By name, as a link says it."""
