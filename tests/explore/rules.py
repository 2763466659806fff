"""What can be taken out of the protocol, what can go wrong, and how much of it one search looks at."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Rule(StrEnum):
    """One rule of the protocol; the product keeps them all. The names that the protocol gave them are in front."""

    R1_TOKEN = "R1-token"
    """Only a token proves that a batch is ours; without it, an unknown batch of the right size and time is adopted."""
    R1_TOKEN_PER_CREATE = "R1-token-per-create"
    """Each create has a token of its own; without it, a token names the batch and its newest submission."""
    R2_GATE_TIME = "R2-gate-time"
    """The last bytes are let go only before send_by."""
    R2_GATE_STATE = "R2-gate-state"
    """The last bytes are let go only while nobody took the submission over."""
    R2_LET_GO = "R2-let-go"
    """Only a submission that was not let go may be voided when its submitter is gone."""
    R3_TIMER = "R3-timer"
    """The kernel ends a process that was frozen past send_by."""
    R3_TIMER_FIRST = "R3-timer-first"
    """The timer runs before send_by is written, so that it can't end later than that."""
    R4_QUIET = "R4-quiet"
    """quiet_after counts from send_by; without it, from when somebody noticed that the submitter is gone."""
    R4_STARTED = "R4-started"
    """The list must have *started* after quiet_after; without it, being read after that is enough."""
    R4_PRESENCE = "R4-presence"
    """That a submitter's lock is gone doesn't shorten quiet_after: it may be alive, and write until send_by."""
    R5_WORKSPACE = "R5-workspace"
    """A list counts only if it is from the workspace of the submission."""
    R5_COMPLETE = "R5-complete"
    """A list counts only if it goes back past the claim."""
    R5_LEARNED = "R5-learned"
    """A submission learns its workspace even when another process asked first."""
    R6_FACTS = "R6-facts"
    """A late API id is recorded whatever state its submission is in; without it, only by who still owns it."""
    R7_CLAIM = "R7-claim"
    """A claim asks whether a submission of the batch lives; those that free a batch look as well."""
    R7_VOID = "R7-void"
    """A fact on a lost submission voids a successor that was not let go."""
    R7_KNOWN = "R7-known"
    """A lost submission counts as living as soon as its id is noted, before it is open."""
    R7_FOLLOW = "R7-follow"
    """A batch follows its open submission, also when another submission of it is rejected, voided or lost."""
    R7_DIVIDE = "R7-divide"
    """A rejected batch isn't divided while a submission of it lives: an earlier one may have come back since."""
    R8_ERRORS = "R8-errors"
    """Errors and expiries count only while no other submission of the batch lives."""
    R8_AT_RECORD = "R8-at-record"
    """That is asked in the transaction that records, not when reading began."""
    R8_GIVE_UP = "R8-give-up"
    """It goes for lines that never come, too."""
    R8_BILL = "R8-bill"
    """The bill's key is (submission, item); without it, the item."""
    R9_SIGHT = "R9-sight"
    """Unknown batches on a list are noted, and keep what they may be unclear."""
    R9_JUDGE = "R9-judge"
    """The token of an unknown batch that ended is read."""
    R9_LOST = "R9-lost"
    """Lost submissions are looked for as well."""
    R9_LATE = "R9-late"
    """However late their batch was created."""
    R11_LOOK = "R11-look"
    """A ledger that was restored sends nothing before everything at the API was looked at."""
    R11_HOME = "R11-home"
    """Nothing is sent, or concluded from its rows, between being restored and noticing it."""
    R11_DOUBT = "R11-doubt"
    """What was being sent when it was restored is unclear, whatever its row says."""
    R11_QUIET = "R11-quiet"
    """Only a list counts that started when all that was on its way is listed."""
    R11_MARK = "R11-mark"
    """A token that the ledger has forgotten is known by its mark."""
    R11_RECORD = "R11-record"
    """What was found is recorded before anything is sent."""
    PRESENCE = "presence"
    """Dead owners are known by their lock; without it, by time alone. Faster, not safer."""


class Fault(StrEnum):
    """One thing that goes wrong, or that somebody does. Within a tick everything may happen in any order, for free."""

    FROZEN = "frozen"
    """Time passes for a process that could have moved, for as long as it likes."""
    CRASH = "crash"
    UNSURE = "unsure"
    """A commit that was made, or not, and its client saw an error."""
    GONE = "gone"
    """A living process is taken for dead."""
    LOST = "lost"
    """The answer to a create is lost."""
    DROPPED = "dropped"
    """The bytes never arrive."""
    REFUSED = "refused"
    """The create is turned down with a 400."""
    BUSY = "busy"
    """The create is turned down with a 429."""
    SLOW_WIRE = "slow wire"
    """The bytes travel longer than `wire`: beyond the allowances."""
    LATE_LIST = "late list"
    """The batch is listed later than `quiet`: beyond the allowances."""
    STRANGER = "stranger"
    """Somebody else's batch of the same size appears."""
    OTHER_WORKSPACE = "other workspace"
    SHORT_LIST = "short list"
    SECOND_POLL = "second poll"
    ERRORS = "errors"
    """The API ends a batch with an item errored or expired."""
    CUT = "cut results"
    CANCEL = "cancel"
    """A person takes an item back."""
    RESTORED = "restored"
    """The ledger is restored from a backup, or a standby takes over that is behind; processes and the API go on."""
    DECIDED = "decided"
    """A person says of an unclear submission that it was never created. If it was, the double is that person's."""


EVERY_FAULT = frozenset(Fault)


class Bounds(NamedTuple):
    """How far a search looks. Times in ticks."""

    faults: int = 2
    kinds: frozenset[Fault] = EVERY_FAULT
    submissions: int = 3
    create: int = 2
    """create_timeout."""
    wire: int = 0
    """0 is: before the tick is over."""
    quiet: int = 1
    lease: int = 3
    horizon: int = 8
    """After this tick comes the end of time: everything has run out by then, and nothing new is claimed."""
    learned: bool = True
    """What the API calls the workspace is known from the start."""
    without: frozenset[Rule] = frozenset()
