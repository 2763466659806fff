"""`overnight enqueue FILE`: a file of requests, checked whole, handed over, and seen into Postgres."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final, get_args

import typer

from overnight_models.errors import PermanentError
from overnight_models.quantities import several
from overnight_workers.cli import console

if TYPE_CHECKING:
    from overnight_models.request.traps import Trap
    from overnight_producers import Confirmation, IfKnown, Item

_SHOWN: Final = 20
"""Bad lines and rejected items that are printed."""


@dataclass(frozen=True)
class _Wish:
    """What a file is enqueued with."""

    lane: str
    run: str | None
    if_known: IfKnown
    deadline: datetime | None = None
    give_up_at: datetime | None = None
    """Of items that have none of their own."""

    def of(self, item: Item) -> Item:
        """An item of the file, as it is enqueued."""
        return replace(
            item,
            if_known=self.if_known,
            deadline=self.deadline if item.deadline is None else item.deadline,
            give_up_at=self.give_up_at if item.give_up_at is None else item.give_up_at,
        )


@dataclass
class _Checked:
    """What a look at every line of a file found."""

    good: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)
    """Line numbers, and what is wrong with those lines."""
    traps: Counter[Trap] = field(default_factory=Counter)
    """How many of the good lines walk into each."""

    def tell(self) -> None:
        """Print what a person should know."""
        for trap, items in self.traps.most_common():
            console.say(f"! {several(items, 'item')}: {trap.text}")
        for line, why in self.bad[:_SHOWN]:
            console.fail(f"line {line}: {why}")
        if len(self.bad) > _SHOWN:
            console.fail(f"… and {len(self.bad) - _SHOWN} more bad lines")

    def document(self) -> dict[str, object]:
        """The same as JSON."""
        return {
            "bad": [{"line": line, "why": why} for line, why in self.bad],
            "traps": [{"items": n, "trap": trap.name, "text": trap.text} for trap, n in self.traps.most_common()],
        }


def enqueue(
    file: Annotated[Path, typer.Argument(help="JSON Lines: {'key': …, 'params': {…}} a line; - for standard input.")],
    lane: Annotated[str, typer.Option(help="The lane they go into.")] = "default",
    run: Annotated[str | None, typer.Option(help="A name for all of them: one progress, one bill.")] = None,
    if_known: Annotated[
        str,
        typer.Option(
            metavar="conflict|deliver|redo",
            help="Keys that are known with another run, callback, tenant or trace id are turned down, or their outcomes"
            " are delivered here too. redo: what failed or was canceled is tried again.",
        ),
    ] = "conflict",
    deadline: Annotated[
        str | None,
        typer.Option(help="By when answers are wanted, of items that don't say: '8h', or 2026-11-30T08:00+01:00."),
    ] = None,
    give_up_at: Annotated[
        str | None,
        typer.Option(help="From when on answers are of no use and aren't bought; in the same forms."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until every item is final.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Enqueue the good lines although others are bad.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what happened as JSON.")] = False,
) -> None:
    """Enqueue a file of requests, one JSON object a line; returns when every item is in Postgres.

    A line has `key` and `params`, and optionally `callback` ({"task", "queue", "args", "kwargs", "broker"}), `tenant`,
    `betas`, `output` (a JSON schema), `trace_id`, `cuttable` (the place of a text), `deadline` and `give_up_at` (a
    time with an offset from UTC, or a duration from now on). A line of Anthropic's own batch
    format (`custom_id` in place of `key`) works too, and so do plain params, whose key is made from them. The file is
    read twice: first every line is checked, and while one is bad nothing is enqueued. Enqueuing the same file again in
    the same run is free: the same key and content is the same item. In another run it is a conflict, unless --if-known
    says otherwise. What is likely to come back as an error or cut off is warned of, once with a count.
    """
    from overnight_workers.item_file import open_file

    moments = (_read_moment("--deadline", deadline), _read_moment("--give-up-at", give_up_at))
    with open_file(file) as source:
        _enqueue(source, _Wish(lane, run, _read_if_known(if_known), *moments), wait, skip_bad, as_json)


def _read_moment(option: str, text: str | None) -> datetime | None:
    from overnight_models.request.moments import moment_of

    try:
        return None if text is None else moment_of(text, now=datetime.now(UTC))
    except ValueError as error:
        raise PermanentError(f"{option}: {error}") from error


def _read_if_known(word: str) -> IfKnown:
    from overnight_producers import IfKnown

    words: tuple[IfKnown, ...] = get_args(IfKnown)
    for known in words:
        if word == known:
            return known
    raise PermanentError(f"--if-known must be one of {', '.join(words)}, not {word!r}")


def _enqueue(source: IO[bytes], wish: _Wish, wait: bool, skip_bad: bool, as_json: bool) -> None:
    from overnight_models.wire.item_check import lane_faults
    from overnight_workers.settings import settings

    wrong_lane = lane_faults(wish.lane, settings().policy)
    if wrong_lane:
        raise PermanentError(wrong_lane[0])
    checked = _check(source, wish)
    checked.tell()
    if checked.bad and not skip_bad:
        if as_json:
            console.as_json({"enqueued": 0, **checked.document()})
        n, all_ = len(checked.bad), checked.good + len(checked.bad)
        raise PermanentError(f"nothing was enqueued: {n} of {all_} lines are bad. Mend them, or use --skip-bad")
    passed_over = {line for line, _ in checked.bad}
    confirmation = _send(source, passed_over, checked.good, wish)
    _tell_rejected(confirmation)
    result = {"lane": wish.lane, "run": wish.run, **_document(confirmation), **checked.document()}
    if not as_json:
        console.OUT.print(_in_words(confirmation, len(checked.bad)))
    if wait:
        states = _wait(source, wish.lane, passed_over)
        result["items"] = states
        if not as_json:
            console.OUT.print(", ".join(f"{n:,} {state}" for state, n in sorted(states.items())))
    if as_json:
        console.as_json(result)
    if confirmation.rejected:
        raise typer.Exit(1)


def _document(confirmation: Confirmation) -> dict[str, object]:
    """What the workers said, as JSON."""
    return {
        "accepted": confirmation.accepted,
        "redone": confirmation.redone,
        "known": confirmation.known,
        "delivered": confirmation.delivered,
        "rejected": [
            {"key": rejection.key, "index": rejection.index, "why": rejection.why}
            for rejection in confirmation.rejected
        ],
    }


def _in_words(confirmation: Confirmation, bad: int) -> str:
    """The same in a line."""
    redone = f" ({confirmation.redone:,} tried again)" if confirmation.redone else ""
    delivered = f" ({confirmation.delivered:,} delivered here too)" if confirmation.delivered else ""
    return (
        f"{confirmation.accepted:,} accepted{redone}, {confirmation.known:,} known already{delivered},"
        f" {len(confirmation.rejected):,} rejected, {bad:,} bad lines"
    )


def _tell_rejected(confirmation: Confirmation) -> None:
    """Print what was turned down, and what to do with keys that are taken."""
    from overnight_models.ledger.known import ENDED_WITHOUT_ANSWER, WITH_ANOTHER

    for rejection in confirmation.rejected[:_SHOWN]:
        console.fail(f"item {rejection.key!r}: {rejection.why}")
    if len(confirmation.rejected) > _SHOWN:
        console.fail(f"… and {len(confirmation.rejected) - _SHOWN} more rejected items")
    for_others = sum(WITH_ANOTHER in rejection.why for rejection in confirmation.rejected)
    if for_others:
        console.fail(
            f"{several(for_others, 'item is', 'items are')} known with another run, callback, tenant or trace id:"
            " enqueue the file with the same --run, which is free, or use --if-known deliver: their outcomes belong to"
            " this run too, and are paid once"
        )
    ended = sum(ENDED_WITHOUT_ANSWER in rejection.why for rejection in confirmation.rejected)
    if ended:
        console.fail(
            f"{several(ended, 'key')} failed or canceled with other content: --if-known redo tries them with this"
        )


def _send(source: IO[bytes], passed_over: set[int], items: int, wish: _Wish) -> Confirmation:
    """Enqueue the file, and watch until Postgres has it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from overnight_producers import Overnight
    from overnight_workers.settings import settings

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console.ERR, transient=True) as progress:
        bar = progress.add_task("confirmed in Postgres", total=items)
        return Overnight(settings().redis_url or None).enqueue_confirmed(
            (wish.of(item) for item in _items(source, passed_over)),
            lane=wish.lane,
            run=wish.run,
            progress=lambda sum_: progress.update(bar, completed=sum_.accepted + sum_.known + len(sum_.rejected)),
        )


def _check(source: IO[bytes], wish: _Wish) -> _Checked:
    """Look at every line of a file."""
    from overnight_models.money.prices import load
    from overnight_models.request.traps import traps_now
    from overnight_workers.item_file import Bad, Checker, lines
    from overnight_workers.settings import settings
    from overnight_workers.sizes.chooser import Chooser

    file = _Checked()
    prices, today = load(settings().prices), datetime.now(UTC).date()
    chooser = Chooser(wish.lane, settings().lane(wish.lane))
    with Checker(wish.lane, settings().policy, settings().redis_url, chooser=chooser) as checker:
        for line in lines(source):
            if isinstance(line, Bad):
                file.bad.append((line.number, line.why))
                continue
            checked = checker.check(replace(line, item=wish.of(line.item)))
            if checked.faults or checked.written is None:
                file.bad.append((line.number, "; ".join(checked.faults)))
                continue
            file.good += 1
            params = checked.params
            model = prices.model(params["model"])
            if model is not None:
                file.traps.update(traps_now(params, model, today, betas=checked.written.get("betas", ())))
    return file


def _items(source: IO[bytes], passed_over: set[int]) -> Iterator[Item]:
    """The file's items from the start."""
    from overnight_workers.item_file import Line, lines

    return (line.item for line in lines(source, passed_over=passed_over) if isinstance(line, Line))


def _wait(source: IO[bytes], lane: str, passed_over: set[int]) -> dict[str, int]:
    """Stay until every item of the file is final. Returns how many are in which state."""
    import time

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from overnight_models.ledger import answer
    from overnight_models.states import ITEM
    from overnight_workers.process import database

    keys = [item.key for item in _items(source, passed_over) if item.key is not None]
    groups = [keys[start : start + 5000] for start in range(0, len(keys), 5000)]
    final: dict[str, int] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console.ERR, transient=True) as progress:
        bar = progress.add_task("final", total=len(keys))
        while groups:
            unfinished = []
            done = sum(final.values())
            for group in groups:
                with database().transaction() as connection:
                    states = answer.states(connection, lane, group)
                finished = {state: n for state, n in states.items() if state in ITEM.final}
                done += sum(finished.values())
                if len(finished) < len(states):
                    unfinished.append(group)
                else:
                    for state, n in finished.items():
                        final[state] = final.get(state, 0) + n
            progress.update(bar, completed=done)
            groups = unfinished
            if groups:
                time.sleep(1)  # a batch takes minutes to hours: looked at once a second
    return final
