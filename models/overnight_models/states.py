"""Every state and every move between states: the only place that says them.

SQL guards (`Move.where`, `Move.set`), the CHECK constraints of the tables, the diagram in the README and the
test that tries every move from every state are all made from this table. A state changes only by one of these
moves, with its *before* in the WHERE clause; no row updated means that somebody else was faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final


class Move:
    """One allowed change of state. Its name is the attribute of the life that it belongs to."""

    def __init__(self, before: tuple[str, ...], after: str, why: str) -> None:
        self.name = ""
        self.before = before
        self.after = after
        self.why = why

    def __set_name__(self, owner: type, name: str) -> None:
        """Take the attribute's name."""
        self.name = name

    def __repr__(self) -> str:
        return f"<move {self.name}: {' | '.join(self.before)} -> {self.after}>"

    @property
    def where(self) -> str:
        """The guard, for a WHERE clause: the row is in a state that this move may leave."""
        return "state IN ({})".format(", ".join(f"'{state}'" for state in self.before))

    @property
    def set(self) -> str:
        """The change, for a SET clause."""
        return f"state = '{self.after}'"


class Life:
    """The states of one kind of row: what each means, and who brings it home if its owner dies.

    Its moves are attributes, so that a mistyped one is a type error.
    """

    noun: ClassVar[str]
    states: ClassVar[dict[str, str]]
    final: ClassVar[frozenset[str]]
    also_begins: ClassVar[tuple[str, ...]] = ()
    """States in which a row may be written, beside the first."""

    @property
    def moves(self) -> tuple[Move, ...]:
        """Every move, in the order of the table."""
        return tuple(move for move in vars(type(self)).values() if isinstance(move, Move))

    def __iter__(self) -> Iterator[Move]:
        """Every move."""
        return iter(self.moves)

    @property
    def check(self) -> str:
        """The CHECK constraint: a state is one of these."""
        return "state IN ({})".format(", ".join(f"'{state}'" for state in self.states))

    @property
    def diagram(self) -> str:
        """The life as a Mermaid state diagram: what the READMEs show."""
        arrows: dict[tuple[str, str], list[str]] = {}
        for move in self.moves:
            for before in move.before:
                arrows.setdefault((before, move.after), []).append(move.name)
        lines = ["stateDiagram-v2", "    direction LR"]
        lines += [f"    [*] --> {state}" for state in (next(iter(self.states)), *self.also_begins)]
        lines += [f"    {before} --> {after}: {', '.join(names)}" for (before, after), names in arrows.items()]
        lines += [f"    {state} --> [*]" for state in self.states if state in self.final]
        return "\n".join(lines)

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The states from which something is still to come."""
        return tuple(state for state in self.states if state not in self.final)


class ItemLife(Life):
    """The life of an item."""

    noun = "item"
    states: ClassVar = {
        "waiting": "in Postgres, in no batch; pack takes it when its lane's threshold is reached",
        "held": "kept back with a reason; goes on by itself or on a word",
        "batched": "in a batch; the batch's state says where that is",
        "direct": "being sent in real time; rescue frees it when the lease runs out",
        "racing": "sent in real time while its batch still runs; the first answer is kept",
        "succeeded": "answered, and the answer is of use",
        "failed": "ended without a useful answer; the outcome says why",
        "canceled": "taken back before it was sent",
        "following": "asks what another item asks already; it ends with that one, and with its outcome",
        "redone": "failed or canceled, and tried again: another item has its receipt and its key",
    }
    final = frozenset({"succeeded", "failed", "canceled", "redone"})
    also_begins = ("following",)

    pack = Move(("waiting",), "batched", "a batch took it")
    urge = Move(("waiting",), "direct", "its deadline leaves no time for a batch")
    hold = Move(("waiting",), "held", "over budget, or its lane was stopped")
    release = Move(("held",), "waiting", "what held it is over")
    race = Move(("batched",), "racing", "its deadline is at risk while its batch runs")
    fall_back = Move(("racing",), "batched", "its direct call brought no answer; its batch goes on")
    outlast = Move(("racing",), "direct", "its batch brought no answer, or isn't sent yet; its direct call goes on")
    leave = Move(("batched",), "waiting", "its batch isn't sent yet, and would be too late: it goes in real time")
    retry = Move(("batched", "direct"), "waiting", "this try failed in a way that another may not")
    succeed = Move(
        ("waiting", "held", "batched", "direct", "racing", "following"),
        "succeeded",
        "an answer came; the first is kept, wherever the item is by then",
    )
    fail = Move(
        ("waiting", "held", "batched", "direct", "racing", "following"),
        "failed",
        "a final problem, or an answer that is of no use",
    )
    cancel = Move(("waiting", "held", "following"), "canceled", "its owner took it back")
    unpack = Move(("batched",), "canceled", "its owner took it back before the batch was sent")
    invalidate = Move(("succeeded",), "failed", "the class that its catalog declares doesn't take its answer")
    revive = Move(("failed",), "succeeded", "the class that its catalog declares takes its answer by now")
    redo = Move(("failed", "canceled"), "redone", "somebody wants another try: a new item takes its place")


class BatchLife(Life):
    """The life of a batch."""

    noun = "batch"
    states: ClassVar = {
        "packed": "complete and not being sent; submit takes it",
        "submitting": "one submission of it is under way; rescue looks after its lease",
        "unclear": "a create may or may not have worked; poll finds out",
        "open": "at Anthropic, in progress; poll watches it",
        "canceling": "at Anthropic, told to stop; poll watches it",
        "ended": "done at Anthropic; collect reads its results",
        "incomplete": "results were read and lines are missing; collect reads again",
        "rejected": "the API turned the create down; submit divides it",
        "collected": "every result is recorded",
        "split": "divided into smaller batches, because a create of it was rejected",
        "failed": "rejected with one item left: that item failed",
        "canceled": "emptied before it was sent",
        "gone": "its results can no longer be had",
    }
    final = frozenset({"collected", "split", "failed", "canceled", "gone"})

    claim = Move(("packed",), "submitting", "a submitter takes it")
    release = Move(("submitting",), "packed", "known not created: it may be sent again")
    doubt = Move(("submitting",), "unclear", "nobody knows whether it was created")
    open = Move(("packed", "submitting", "unclear", "rejected"), "open", "its API id is known")
    free = Move(("unclear",), "packed", "no list that counts shows it, or a person says so: believed never created")
    reject = Move(("submitting",), "rejected", "the API turned it down")
    divide = Move(("rejected",), "split", "its items go on in smaller batches")
    repack = Move(("rejected",), "packed", "its lane was held for it and goes on: it is tried whole")
    give_up = Move(("rejected",), "failed", "one item was left, and it was the culprit")
    empty = Move(("packed",), "canceled", "its last item was taken back")
    stop = Move(("open",), "canceling", "told to stop at Anthropic")
    end = Move(("open", "canceling"), "ended", "the API says it ended")
    disown = Move(
        ("open", "canceling", "ended", "incomplete"), "unclear", "the API id that it was given is another batch's"
    )
    collect = Move(("ended", "incomplete"), "collected", "every line is recorded and the counts agree")
    miss = Move(("ended",), "incomplete", "the results had fewer lines than the counts say")
    lose = Move(("open", "canceling", "ended", "incomplete"), "gone", "its results can't be had any more")


class SubmissionLife(Life):
    """The life of a submission."""

    noun = "submission"
    states: ClassVar = {
        "claimed": "a submitter is building the body; void when its lease runs out",
        "sending": "bytes may be on the wire until send_by; unclear after that",
        "unclear": "may have been created; only a list that counts can tell",
        "open": "created: its API id is known",
        "void": "not created, by all that was said; a late id still proves otherwise",
        "lost": "believed not created; a late id still proves otherwise",
        "done": "its results are recorded, or can't be had any more",
    }
    final = frozenset({"void", "lost", "done"})
    also_begins = ("open",)  # of a batch at the API whose token is known: a twin, or one that a restored ledger forgot

    send = Move(("claimed",), "sending", "the body is built and frozen")
    void = Move(("claimed", "sending"), "void", "it was not created")
    doubt = Move(("claimed", "sending"), "unclear", "it may have been created; a claimed one after a restore only")
    open = Move(("claimed", "sending", "unclear", "lost", "void"), "open", "its API id is known")
    disown = Move(("open",), "unclear", "its results bear another token: the API id that it was given isn't its own")
    lose = Move(("unclear",), "lost", "a list that counts doesn't show it, or a person says so")
    finish = Move(("open", "lost", "void"), "done", "its results are recorded, or can't be had any more")


class DeliveryLife(Life):
    """The life of a delivery."""

    noun = "delivery"
    states: ClassVar = {
        "due": "to be handed over when its time comes",
        "sending": "being handed over; due again when the lease runs out",
        "awaiting_ack": "taken by the callback's broker; sent again unless the callback answers in time",
        "delivered": "taken",
        "dead": "given up, visible, and can be replayed",
    }
    final = frozenset({"delivered", "dead"})
    also_begins = ("sending", "delivered")  # by whoever recorded its outcome; when it was handed over without a row

    claim = Move(("due",), "sending", "a deliverer takes it")
    deliver = Move(("sending",), "delivered", "the broker took it")
    await_ack = Move(("sending",), "awaiting_ack", "the broker took it; the callback must answer")
    acknowledge = Move(
        ("awaiting_ack", "sending", "due", "dead"), "delivered", "the callback answered; however late, it counts"
    )
    retry = Move(("sending", "awaiting_ack"), "due", "it didn't get through, as far as anybody knows")
    release = Move(("sending",), "due", "it was not tried: there was no room for it, or its broker went away")
    dead_letter = Move(("sending", "awaiting_ack"), "dead", "it never got through, however often it was tried")
    give_up = Move(("due",), "dead", "its broker was away, or its queue full, for longer than its lane is patient")
    replay = Move(("dead", "delivered"), "due", "an operator wants it sent again")


class CatalogRunLife(Life):
    """The life of a run of a catalog."""

    noun = "catalog_run"
    states: ClassVar = {
        "planned": "begun: it is found out what is to be sent and why, and nothing is sent",
        "asking": "it would send more than may be sent without a word; `overnight runs approve` or `stop`",
        "pilot": "its first rows are sent and judged",
        "sending": "the other rows are sent, and answers are waited for",
        "retrying": "what came back invalid or cut off is asked again",
        "publishing": "answers are written into the sink",
        "complete": "every row that was to be sent is answered and published",
        "partial": "published, and some rows have no useful answer",
        "stopped": "ended before it was published; the reason says why",
    }
    final = frozenset({"complete", "partial", "stopped"})

    ask = Move(("planned",), "asking", "too much would be sent, or prompt, model or schema changed")
    approve = Move(("asking",), "planned", "a person says that it may send")
    go_ahead = Move(("planned",), "pilot", "some rows go first")
    send = Move(("planned", "pilot"), "sending", "the pilot is good, or none is needed")
    retry = Move(("sending",), "retrying", "every row has come back")
    publish = Move(("planned", "retrying"), "publishing", "nothing more is asked")
    finish = Move(("publishing",), "complete", "every answer is in the sink and of use")
    fall_short = Move(("publishing",), "partial", "it is in the sink, and some rows have a problem")
    stop = Move(
        ("planned", "asking", "pilot", "sending", "retrying", "publishing"),
        "stopped",
        "a cap, a bad pilot, a source that can't be read, or a person",
    )


ITEM: Final = ItemLife()
BATCH: Final = BatchLife()
SUBMISSION: Final = SubmissionLife()
DELIVERY: Final = DeliveryLife()
CATALOG_RUN: Final = CatalogRunLife()
LIVES: Final[tuple[Life, ...]] = (ITEM, BATCH, SUBMISSION, DELIVERY, CATALOG_RUN)
