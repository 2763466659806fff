"""Every state and every move between states: the only place that says them.

SQL guards (`Move.where`, `Move.set`), the CHECK constraints of the tables, the diagram in the README and the
test that tries every move from every state are all made from this table. A state changes only by one of these
moves, with its *before* in the WHERE clause; no row updated means that somebody else was faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Move:
    """One allowed change of state, by name."""

    name: str
    before: tuple[str, ...]
    after: str
    why: str

    @property
    def where(self) -> str:
        """The guard, for a WHERE clause: the row is in a state that this move may leave."""
        return "state IN ({})".format(", ".join(f"'{state}'" for state in self.before))

    @property
    def set(self) -> str:
        """The change, for a SET clause."""
        return f"state = '{self.after}'"


@dataclass(frozen=True)
class Life:
    """The states of one kind of row: what each means, and who brings it home if its owner dies."""

    noun: str
    states: dict[str, str]
    final: frozenset[str]
    moves: tuple[Move, ...]
    also_begins: tuple[str, ...] = ()
    """States in which a row may be written, beside the first."""

    def __getitem__(self, name: str) -> Move:
        """The move of that name."""
        for move in self.moves:
            if move.name == name:
                return move
        raise KeyError(f"{self.noun} has no move {name!r}")

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


ITEM: Final = Life(
    "item",
    {
        "waiting": "in Postgres, in no batch; pack takes it when its lane's threshold is reached",
        "held": "kept back with a reason; goes on by itself or on a word",
        "batched": "in a batch; the batch's state says where that is",
        "direct": "being sent in real time; rescue frees it when the lease runs out",
        "racing": "sent in real time while its batch still runs; the first answer is kept",
        "succeeded": "answered, and the answer is of use",
        "failed": "ended without a useful answer; the outcome says why",
        "canceled": "taken back before it was sent",
    },
    frozenset({"succeeded", "failed", "canceled"}),
    (
        Move("pack", ("waiting",), "batched", "a batch took it"),
        Move("urge", ("waiting",), "direct", "its deadline leaves no time for a batch"),
        Move("hold", ("waiting",), "held", "over budget, or its lane was stopped"),
        Move("release", ("held",), "waiting", "what held it is over"),
        Move("race", ("batched",), "racing", "its deadline is at risk while its batch runs"),
        Move("retry", ("batched", "direct"), "waiting", "this try failed in a way that another may not"),
        Move(
            "succeed",
            ("waiting", "held", "batched", "direct", "racing"),
            "succeeded",
            "an answer came; the first is kept, wherever the item is by then",
        ),
        Move(
            "fail",
            ("waiting", "held", "batched", "direct", "racing"),
            "failed",
            "a final problem, or an answer that is of no use",
        ),
        Move("cancel", ("waiting", "held"), "canceled", "its owner took it back"),
        Move("unpack", ("batched",), "canceled", "its owner took it back before the batch was sent"),
        Move("redo", ("failed", "canceled"), "waiting", "an operator wants another try"),
    ),
)

BATCH: Final = Life(
    "batch",
    {
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
    },
    frozenset({"collected", "split", "failed", "canceled", "gone"}),
    (
        Move("claim", ("packed",), "submitting", "a submitter takes it"),
        Move("release", ("submitting",), "packed", "known not created: it may be sent again"),
        Move("doubt", ("submitting",), "unclear", "nobody knows whether it was created"),
        Move("open", ("packed", "submitting", "unclear", "rejected"), "open", "its API id is known"),
        Move(
            "free", ("unclear",), "packed", "no list that counts shows it, or a person says so: believed never created"
        ),
        Move("reject", ("submitting",), "rejected", "the API turned it down"),
        Move("divide", ("rejected",), "split", "its items go on in smaller batches"),
        Move("repack", ("rejected",), "packed", "its lane was held for it and goes on: it is tried whole"),
        Move("give_up", ("rejected",), "failed", "one item was left, and it was the culprit"),
        Move("empty", ("packed",), "canceled", "its last item was taken back"),
        Move("stop", ("open",), "canceling", "told to stop at Anthropic"),
        Move("end", ("open", "canceling"), "ended", "the API says it ended"),
        Move("collect", ("ended", "incomplete"), "collected", "every line is recorded and the counts agree"),
        Move("miss", ("ended",), "incomplete", "the results had fewer lines than the counts say"),
        Move("lose", ("open", "canceling", "ended", "incomplete"), "gone", "its results can't be had any more"),
    ),
)

SUBMISSION: Final = Life(
    "submission",
    {
        "claimed": "a submitter is building the body; void when its lease runs out",
        "sending": "bytes may be on the wire until send_by; unclear after that",
        "unclear": "may have been created; only a list that counts can tell",
        "open": "created: its API id is known",
        "void": "known not created",
        "lost": "believed not created; a late id still proves otherwise",
        "done": "its results are recorded, or can't be had any more",
    },
    frozenset({"void", "lost", "done"}),
    (
        Move("send", ("claimed",), "sending", "the body is built and frozen"),
        Move("void", ("claimed", "sending"), "void", "it was not created"),
        Move(
            "doubt", ("claimed", "sending"), "unclear", "it may have been created; a claimed one after a restore only"
        ),
        Move("open", ("claimed", "sending", "unclear", "lost"), "open", "its API id is known"),
        Move("lose", ("unclear",), "lost", "a list that counts doesn't show it, or a person says so"),
        Move("finish", ("open", "lost"), "done", "its results are recorded, or can't be had any more"),
    ),
)

DELIVERY: Final = Life(
    "delivery",
    {
        "due": "to be handed over when its time comes",
        "sending": "being handed over; due again when the lease runs out",
        "awaiting_ack": "taken by the callback's broker; sent again unless the callback answers in time",
        "delivered": "taken",
        "dead": "given up, visible, and can be replayed",
    },
    frozenset({"delivered", "dead"}),
    (
        Move("claim", ("due",), "sending", "a deliverer takes it"),
        Move("deliver", ("sending",), "delivered", "the broker took it"),
        Move("await_ack", ("sending",), "awaiting_ack", "the broker took it; the callback must answer"),
        Move(
            "acknowledge",
            ("awaiting_ack", "sending", "due", "dead"),
            "delivered",
            "the callback answered; however late, it counts",
        ),
        Move("retry", ("sending", "awaiting_ack"), "due", "it didn't get through, as far as anybody knows"),
        Move("release", ("sending",), "due", "it was not tried: there was no room for it, or its broker went away"),
        Move("bury", ("sending", "awaiting_ack"), "dead", "it never got through, however often it was tried"),
        Move(
            "give_up", ("due",), "dead", "its broker was away, or its queue full, for longer than its lane is patient"
        ),
        Move("replay", ("dead", "delivered"), "due", "an operator wants it sent again"),
    ),
    also_begins=("sending",),  # by the collector that has recorded its outcome
)

LIVES: Final = (ITEM, BATCH, SUBMISSION, DELIVERY)
