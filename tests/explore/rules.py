"""What can be taken out of the protocol, what can go wrong, and how much of it one search looks at."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from overnight_workers.stages.protocol import Rule


class Part(StrEnum):
    """One part of a rule, which a search can leave out; the product keeps them all. Its name begins with the rule's.

    What the rules say is in `overnight_workers.stages.protocol.Rule`; here is what happens without a part.
    """

    R1_TOKEN = "R1-token"
    """Without it, an unknown batch of the right size and time is adopted."""
    R1_COUNTS = "R1-counts"
    """Without it, a batch is ruled out by the number of requests that the API's list says."""
    R1_TOKEN_PER_CREATE = "R1-token-per-create"
    """Without it, a token names the batch and its newest submission."""
    R2_GATE_TIME = "R2-gate-time"
    """Without it, the last bytes are sent after send_by too."""
    R2_GATE_STATE = "R2-gate-state"
    """Without it, the last bytes are sent although somebody took the submission over."""
    R2_LET_GO = "R2-let-go"
    """Without it, a submission is voided when its submitter is gone, though its last bytes were sent."""
    R3_TIMER = "R3-timer"
    """Without it, a process that was frozen past send_by writes when it wakes."""
    R3_TIMER_FIRST = "R3-timer-first"
    """Without it, the timer starts after send_by is written, and can end later than that."""
    R4_QUIET = "R4-quiet"
    """Without it, quiet_after counts from when somebody noticed that the submitter is gone."""
    R4_STARTED = "R4-started"
    """Without it, it is enough that the list was read after quiet_after."""
    R4_PRESENCE = "R4-presence"
    """Without it, a submitter's lock that is gone shortens quiet_after, though it may be alive."""
    R5_WORKSPACE = "R5-workspace"
    """Without it, another workspace's list counts."""
    R5_COMPLETE = "R5-complete"
    """Without it, a list counts that doesn't go back past the claim."""
    R5_LEARNED = "R5-learned"
    """Without it, a submission doesn't learn its workspace when another process asked first."""
    R6_FACTS = "R6-facts"
    """Without it, an API id is recorded only by the process that still owns its submission."""
    R6_VOID = "R6-void"
    """Without it, a submission that an answer called not created stays void."""
    R7_CLAIM = "R7-claim"
    """Without it, a claim doesn't ask whether a submission of the batch may still run."""
    R7_VOID = "R7-void"
    """Without it, a late id voids no later submission."""
    R7_KNOWN = "R7-known"
    """Without it, a lost submission whose id is noted counts as over until it is open."""
    R7_FOLLOW = "R7-follow"
    """Without it, a batch goes its own way when a submission of it ends, though another is open."""
    R7_WHOLE = "R7-whole"
    """Without it, a part of a rejected batch is sent while a submission of the whole lives."""
    R7_DIVIDE = "R7-divide"
    """Without it, a rejected batch is divided although an earlier submission came back."""
    R8_ERRORS = "R8-errors"
    """Without it, errors and expiries count although another submission of the batch may still run."""
    R8_AT_RECORD = "R8-at-record"
    """Without it, that is asked when reading began, and not in the transaction that records."""
    R8_GIVE_UP = "R8-give-up"
    """Without it, that isn't asked about lines that never come."""
    R8_BILL = "R8-bill"
    """Without it, the bill's key is the item alone."""
    R9_SIGHT = "R9-sight"
    """Without it, unknown batches on a list are not noted, and keep nothing unclear."""
    R9_JUDGE = "R9-judge"
    """Without it, the token of an unknown batch that ended is not read."""
    R9_LOST = "R9-lost"
    """Without it, lost submissions are not looked for."""
    R9_VOID = "R9-void"
    """Without it, batches of submissions that were called void aren't looked for."""
    R9_KNOWN = "R9-known"
    """Without it, a second batch of what is known to be at the API isn't looked for."""
    R9_TWIN = "R9-twin"
    """Without it, a second batch of a token is read and gets no row."""
    R9_LATE = "R9-late"
    """Without it, only batches are looked at that were created in time."""
    R11_LOOK = "R11-look"
    """Without it, a ledger that was restored sends before everything at the API was looked at."""
    R11_HOME = "R11-home"
    """Without it, it sends, and concludes from its rows, before it notices that it was restored."""
    R11_DOUBT = "R11-doubt"
    """Without it, what was being sent when it was restored is what its row says."""
    R11_QUIET = "R11-quiet"
    """Without it, a list counts that started before all that was on its way is listed."""
    R11_MARK = "R11-mark"
    """Without it, a token that the ledger has forgotten is a stranger's."""
    R11_RECORD = "R11-record"
    """Without it, something is sent before what was found is recorded."""
    PRESENCE = "presence"
    """Without it, dead owners are known by time alone: slower, and no less safe. No rule asks for it."""

    @property
    def rule(self) -> Rule | None:
        """The rule that it is a part of."""
        number, dash, _ = self.partition("-")
        return Rule[number] if dash else None


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
    DENIED = "denied"
    """The create is turned down with a 400 or a 429, and was executed all the same."""
    TWICE = "twice"
    """The create is executed twice: a gateway repeats it. The second one is nobody's fault."""
    COUNTS = "counts"
    """The API lists the batch with another number of requests than it has."""
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
    without: frozenset[Part] = frozenset()
