"""Options that choose items: the same for `items` and for whatever is done to items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from overnight_models.errors import PermanentError
from overnight_models.states import DELIVERY, ITEM
from overnight_models.wire.outcome import Problem

if TYPE_CHECKING:
    from overnight_models.ledger.operators.item_filter import ItemFilter

Named = Annotated[str | None, typer.Argument(metavar="[KEY]", help="Only the item of this key.")]
Lane = Annotated[str | None, typer.Option(help="Only this lane's.")]
Tenant = Annotated[str | None, typer.Option(help="Only this tenant's.")]
Run = Annotated[str | None, typer.Option(help="Only this run's.")]
Batch = Annotated[int | None, typer.Option(help="Only this batch's (its number in `overnight batches`).")]
State = Annotated[str | None, typer.Option(help=f"Only in this state: {', '.join(ITEM.states)}.")]
ProblemName = Annotated[
    str | None, typer.Option("--problem", help=f"Only with this problem: {', '.join(Problem)}, or `any` of them.")
]
Model = Annotated[str | None, typer.Option(help="Only those that ask this model.")]
Delivery = Annotated[str | None, typer.Option(help=f"Only whose outcome's delivery is {', '.join(DELIVERY.states)}.")]
Queue = Annotated[
    str | None, typer.Option(help="Only whose outcome goes to this queue, or to the webhook of this name.")
]
Late = Annotated[bool, typer.Option("--late", help="Only what missed its deadline, or is late already.")]
Newer = Annotated[str | None, typer.Option(help="Only what was accepted since then: '2h' ago, or 2026-11-23T18:00.")]
Older = Annotated[str | None, typer.Option(help="Only what was accepted before then: older than '2h', or a time.")]
Key = Annotated[str | None, typer.Option(help="Only the item of this key.")]
Prefix = Annotated[str | None, typer.Option(help="Only whose key begins so.")]
Everything = Annotated[bool, typer.Option("--all", help="All of them: no other option narrows it down.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how many and how much, and do nothing.")]
Reason = Annotated[str | None, typer.Option(help="Why, for whoever looks later (`overnight actions`).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON; asks nothing, so it needs --yes or --dry-run.")]


def chosen(named: str | None, **words: str | int | bool | None) -> ItemFilter:
    """The filter of these options. Raises UnknownName for a name that isn't there, or a wrong time.

    words: as `operators/item_filter.py` names them.
    """
    from overnight_workers.operators import item_filter

    if named is not None and words.get("key") not in (None, named):
        raise PermanentError("KEY and --key are two names for the same: say one of them")
    said = words | {"key": named or words.get("key"), "late": "yes" if words.get("late") else None}
    wanted = item_filter.read(
        {word: str(value) for word, value in said.items() if value is not None}, spoken_as=lambda word: f"--{word}"
    )
    item_filter.check(wanted)
    return wanted


def narrowed(wanted: ItemFilter, everything: bool, question: str) -> ItemFilter:
    """The same. Raises PermanentError unless something narrows it down, or somebody said --all; also for both."""
    require_one_of(wanted.is_everything, everything, question, "a KEY, --lane, --run, --tenant, --problem, …")
    return wanted


def require_one_of(is_everything: bool, everything: bool, question: str, options: str) -> None:
    """Raise PermanentError unless something narrows it down, or somebody said --all; also for both.

    is_everything: no filter is given. everything: --all is. options: what narrows it down.
    """
    if is_everything and not everything:
        raise PermanentError(f"{question}? Narrow it down ({options}), or say --all")
    if everything and not is_everything:
        raise PermanentError("--all is all of them, and another option narrows it down: say one of the two")
