"""One state of the model: the ledger's rows, the processes, and what is true at the API. Frozen and hashable.

Every change of a row's state goes through the product's own table of moves; every time is a tick.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from overnight_models.states import BATCH, ITEM, LIVES, SUBMISSION, Life
from tests.explore.rules import Bounds, Fault

_T = TypeVar("_T")

NONE = -1
GONE = 9
"""The owner of a row whose process isn't there any more."""
FORGOTTEN = "forgotten"
"""The state of a submission of which a restored ledger has no row."""
STRANGER = 8
"""The API id of a batch that is not ours; ours are numbered like their submissions."""
END = 99
ITEMS = 2
_MIDNIGHT = datetime(2026, 11, 1, tzinfo=UTC)
_TIMES = tuple(_MIDNIGHT + timedelta(hours=tick) for tick in range(END + 9))

_MOVES = {(life.noun, move.name): (frozenset(move.before), move.after) for life in LIVES for move in life}


def moved(life: Life, move: str, state: str) -> str | None:
    """The state after a move; None when the row isn't where the move begins (no row updated)."""
    before, after = _MOVES[life.noun, move]
    return after if state in before else None


def time_of(tick: int) -> datetime:
    """The beginning of a tick. An hour long, so that the clocks' skew is well within it."""
    return _TIMES[tick]


class Submission(NamedTuple):
    """The ledger's row."""

    batch: int
    state: str
    owner: int
    claimed_at: int
    lease_until: int
    workspace_known: bool
    body: int = 0
    """The items in it, a bit each."""
    send_by: int = NONE
    quiet_after: int = NONE
    let_go: bool = False
    api_id: int = NONE
    ended: bool = False
    reads: int = 0
    twin_of: int = NONE
    """The submission whose create was executed a second time, of which this row is; forgotten until a token tells."""

    @property
    def known(self) -> bool:
        """It is known to have been created, and its results aren't recorded yet."""
        return self.api_id != NONE and self.state != "done"


class Create(NamedTuple):
    """What is true at the API about one create; nobody here can see that."""

    place: str = "nowhere"
    """nowhere, wire (bytes on their way), there, never."""
    at: int = NONE
    """When its bytes were written, then when it was created."""
    listed_from: int = NONE
    late: bool = False
    """Created or listed beyond every allowance, or beside what was answered: then a double is nobody's fault."""
    denied: bool = False
    """Executed, and turned down by its answer."""
    miscounted: bool = False
    results: str = ""
    """When it has ended: S, E (retryable) or F (final) for each item; `-` for those not in it."""

    def may_bill(self, item: int) -> bool:
        """The API bills this item, or still may."""
        return self.place == "wire" or (self.place == "there" and (not self.results or self.results[item] == "S"))


class Slot(NamedTuple):
    """One submitting process: where in `submit._submit` it is, and with which submission."""

    at: str = "idle"
    submission: int = NONE
    timer: int = NONE
    """When the kernel ends it."""
    frozen: bool = False
    """It is known to be slow: that time passes costs no other fault until it moves."""


class Look(NamedTuple):
    """One poll under way: where in `poll._poll` it is, and what it saw."""

    at: str = "idle"
    started_at: int = NONE
    space: str = ""
    """ours, other, or short (a list that doesn't go back far enough)."""
    listed: tuple[tuple[int, bool], ...] = ()
    """API ids, and whether they have ended."""
    unclear: int = 0
    """Submissions that were unclear and without an id when it began, a bit each."""
    judging: int = NONE
    """The API id whose id is being saved."""
    owner: int = NONE
    """The submission that its token named."""
    frozen: bool = False


class Reader(NamedTuple):
    """The collector."""

    at: str = "idle"
    submission: int = NONE
    only_live: bool = False
    passed_over: bool = False
    frozen: bool = False


class Item(NamedTuple):
    """The ledger's row, and whose answer it keeps."""

    state: str
    batch: int
    attempts: int = 0
    answer: int = NONE
    cancel_wanted: bool = False


class World(NamedTuple):
    """Everything."""

    now: int
    faults: int
    slots: tuple[Slot, ...]
    looks: tuple[Look, ...]
    reader: Reader
    submissions: tuple[Submission, ...]
    creates: tuple[Create, ...]
    batches: tuple[str, ...]
    items: tuple[Item, ...]
    parents: tuple[int, ...] = (NONE,)
    """Of each batch the rejected one that it is a part of."""
    bill: frozenset[tuple[int, int, bool]] = frozenset()
    """(submission, item, kept)."""
    sightings: tuple[tuple[int, str], ...] = ()
    """(API id, running | ended | ours | stranger), by id."""
    stranger: Create = Create()
    learned: bool = True
    epoch: int = 0
    """How often the ledger was restored."""
    moved: bool = False
    """It was restored, and hasn't noticed it."""
    looking: int = NONE
    """Since when it looks at the API before it sends again."""
    remembered: frozenset[int] = frozenset()
    """Submissions that it had forgotten and found."""

    def submission(self, number: int, row: Submission) -> World:
        """With one submission changed."""
        return self._replace(submissions=put(self.submissions, number, row))

    def create(self, number: int, create: Create) -> World:
        """With one create changed."""
        if number == STRANGER:
            return self._replace(stranger=create)
        return self._replace(creates=put(self.creates, number, create))

    def slot(self, number: int, slot: Slot) -> World:
        """With one submitting process changed."""
        return self._replace(slots=put(self.slots, number, slot))

    def look(self, number: int, look: Look) -> World:
        """With one poll changed."""
        return self._replace(looks=put(self.looks, number, look))

    def item(self, number: int, item: Item) -> World:
        """With one item changed."""
        return self._replace(items=put(self.items, number, item))

    def at_api(self, api_id: int) -> Create:
        """A batch at the API."""
        return self.stranger if api_id == STRANGER else self.creates[api_id]

    @property
    def attempts(self) -> int:
        """How often something was claimed to be sent."""
        return sum(row.twin_of == NONE for row in self.submissions)

    def token(self, api_id: int) -> int:
        """The submission whose token is in the results of a batch at the API, or on a row."""
        if api_id == STRANGER or self.submissions[api_id].twin_of == NONE:
            return api_id
        return self.submissions[api_id].twin_of

    def bearer(self, api_id: int) -> int:
        """The row that has this API id; NONE when no row has it."""
        return next((number for number, row in enumerate(self.submissions) if row.api_id == api_id), NONE)

    def whole(self, batch: int) -> Iterator[int]:
        """A batch, the one that it is a part of, and so on."""
        while batch != NONE:
            yield batch
            batch = self.parents[batch]

    def relatives(self, number: int) -> Iterator[Submission]:
        """The other submissions of the same batch, and those of the batches that it is a part of."""
        whole = set(self.whole(self.submissions[number].batch))
        for other, row in enumerate(self.submissions):
            if other != number and row.batch in whole:
                yield row

    def others(self, number: int) -> Iterator[Submission]:
        """The other submissions of the same batch."""
        batch = self.submissions[number].batch
        for other, row in enumerate(self.submissions):
            if other != number and row.batch == batch:
                yield row

    def move_submission(self, move: str, number: int) -> World | None:
        """`moves.move_submission`: None when no row was updated."""
        row = self.submissions[number]
        after = moved(SUBMISSION, move, row.state)
        return None if after is None else self.submission(number, row._replace(state=after))

    def move_batch(self, move: str, number: int) -> World | None:
        """`moves.move_batch`: None when no row was updated."""
        after = moved(BATCH, move, self.batches[number])
        return None if after is None else self._replace(batches=put(self.batches, number, after))

    def move_item(self, move: str, number: int, **beside: Any) -> World | None:
        """One item's move: None when no row was updated."""
        row = self.items[number]
        after = moved(ITEM, move, row.state)
        return None if after is None else self.item(number, row._replace(state=after, **beside))


def put(row: tuple[_T, ...], number: int, value: _T) -> tuple[_T, ...]:
    """A tuple with one place changed."""
    return (*row[:number], value, *row[number + 1 :])


def bits(mask: int) -> list[int]:
    """The places that a mask names."""
    return [place for place in range(8) if mask >> place & 1]


class Step(NamedTuple):
    """One step that some process may take now: what it is, what it costs, and where it leads."""

    what: str
    fault: Fault | None
    world: World


Steps = Iterator[Step]


def fails(world: World, bounds: Bounds, fault: Fault) -> World | None:
    """The world with one fault less to come; None when none is left, or this kind isn't looked at."""
    return world._replace(faults=world.faults - 1) if world.faults and fault in bounds.kinds else None


def first(bounds: Bounds) -> World:
    """One packed batch of two items, and nothing else."""
    return World(
        now=0,
        faults=bounds.faults,
        slots=(Slot(), Slot()),
        looks=(Look(), Look()),
        reader=Reader(),
        submissions=(),
        creates=(),
        batches=("packed",),
        items=(Item("batched", 0), Item("batched", 0)),
        learned=bounds.learned,
    )
