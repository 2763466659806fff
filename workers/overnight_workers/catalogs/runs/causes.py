"""Causes of problems in plain words: what each means, and what a person may do about it."""

from __future__ import annotations

from typing import Final, NamedTuple

from overnight_models.wire.outcome import Problem


class Plain(NamedTuple):
    """Two sentences for whoever reads a page of problems."""

    means: str
    do: str


PLAIN: Final = {
    Problem.REFUSED.value: Plain(
        "The model didn't want to answer.",
        "Read the prompt as a stranger would: say what the answer is for, or leave such rows out with --where. It is"
        " never asked again as it is; after a change of its row, prompt or model it is.",
    ),
    Problem.CUT_OFF.value: Plain(
        "The answer wasn't at its end when max_tokens was reached. A run asks up to twice again, with twice the room;"
        " each answer is paid.",
        "Raise max_tokens, ask for shorter answers, or turn thinking off, which spends max_tokens too.",
    ),
    Problem.INVALID_OUTPUT.value: Plain(
        "The answer isn't of the schema, or your class refused it. A run asks up to twice again, with what was wrong.",
        "Say in the prompt, or in the descriptions of the schema's fields, what the detail below asks for; or let the"
        " class take more: then these answers are taken as they are, for nothing.",
    ),
    Problem.ERRORED.value: Plain(
        "The API couldn't process the request; nothing was paid.",
        "The next run asks again by itself. If it is the same each night, the detail says what the API doesn't like.",
    ),
    Problem.EXPIRED.value: Plain(
        "The API gave no answer within its 24 hours, several times; nothing was paid.",
        "The next run asks again by itself. Smaller batches (max_items of the lane) are done sooner.",
    ),
    Problem.CANCELED.value: Plain(
        "It was taken back before it was answered: by a person, by a run that was stopped, or since a cap was reached.",
        "The next run asks it. Raise caps.max_cost if the cap was the reason.",
    ),
    Problem.REJECTED.value: Plain(
        "The API turned down the request; nothing was paid.",
        "The detail has the API's own words: change the prompt, the schema or params as they say.",
    ),
    Problem.TOO_LONG.value: Plain(
        "The prompt has more tokens than its lane takes; nothing was sent.",
        "Let it be cut or asked of another model (prompt.when_longer), or raise max_input_tokens of the lane.",
    ),
    Problem.TOO_LATE.value: Plain(
        "Its time was over before it was sent; nothing was paid.", "The next run asks again."
    ),
    Problem.OVER_BUDGET.value: Plain(
        "What its rows may cost together has no room for it; nothing was sent.", "Raise the lane's max_cost_per_trace."
    ),
    Problem.GIVEN_UP.value: Plain(
        "The API has answered, and its answers could not be fetched any more.", "The next run asks again."
    ),
    "can't be sent": Plain(
        "No request could be made of the row; nothing was sent.",
        "The detail names the cell or the cap: mend the row, or let the template say what to write for a null, such as"
        ' {{ color or "any" }}.',
    ),
    "turned down": Plain(
        "Overnight didn't take the request; nothing was sent.",
        "The detail says which rule it breaks, and what to change.",
    ),
}
"""By the cause, as a run's problems name it."""
