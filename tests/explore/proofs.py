"""For each part of a rule: how little must go wrong for its absence to show, or why the product can do without it."""

from __future__ import annotations

from typing import Final

from tests.explore.rules import Bounds, Fault, Part


def _with(faults: int, *kinds: Fault, create: int = 1, learned: bool = True) -> Bounds:
    return Bounds(faults=faults, kinds=frozenset(kinds), submissions=2, create=create, learned=learned)


MISSED: Final[dict[Part, tuple[Bounds, str]]] = {
    Part.R1_TOKEN: (_with(2, Fault.CRASH, Fault.STRANGER), "isn't its own"),
    Part.R1_COUNTS: (_with(2, Fault.LOST, Fault.COUNTS), "PAID TWICE"),
    Part.R1_TOKEN_PER_CREATE: (_with(2, Fault.LOST, Fault.LATE_LIST), "isn't its own"),
    Part.R2_GATE_STATE: (_with(1, Fault.GONE), "void, and was created"),
    Part.R2_LET_GO: (_with(1, Fault.CRASH), "void, and was created"),
    Part.R3_TIMER: (_with(1, Fault.FROZEN), "PAID TWICE"),
    Part.R3_TIMER_FIRST: (_with(2, Fault.FROZEN, create=3), "PAID TWICE"),
    Part.R4_QUIET: (_with(1, Fault.CRASH), "PAID TWICE"),
    Part.R4_STARTED: (_with(2, Fault.CRASH, Fault.FROZEN), "PAID TWICE"),
    Part.R4_PRESENCE: (_with(2, Fault.GONE, Fault.FROZEN, create=2), "PAID TWICE"),
    Part.R5_WORKSPACE: (_with(2, Fault.CRASH, Fault.OTHER_WORKSPACE), "PAID TWICE"),
    Part.R5_COMPLETE: (_with(2, Fault.CRASH, Fault.SHORT_LIST), "PAID TWICE"),
    Part.R5_LEARNED: (_with(1, Fault.DROPPED, learned=False), "nothing brings this home"),
    Part.R6_FACTS: (_with(1, Fault.GONE), "thrown away"),
    Part.R6_VOID: (_with(1, Fault.DENIED), "nothing brings this home"),
    Part.R7_CLAIM: (_with(2, Fault.LOST, Fault.LATE_LIST), "a batch is claimed"),
    Part.R7_VOID: (_with(2, Fault.LOST, Fault.LATE_LIST), "known to live"),
    Part.R7_KNOWN: (_with(2, Fault.LOST, Fault.LATE_LIST), "a batch is claimed"),
    Part.R7_FOLLOW: (_with(1, Fault.CRASH), "nothing brings this home"),
    Part.R7_WHOLE: (_with(1, Fault.DENIED), "a batch is claimed"),
    Part.R7_DIVIDE: (_with(2, Fault.SLOW_WIRE, Fault.REFUSED), "is split while submission 0"),
    Part.R8_ERRORS: (_with(2, Fault.SLOW_WIRE, Fault.ERRORS), "is waiting while submission"),
    Part.R8_AT_RECORD: (_with(2, Fault.SLOW_WIRE, Fault.ERRORS), "is waiting while submission"),
    Part.R8_GIVE_UP: (_with(2, Fault.SLOW_WIRE, Fault.CUT), "is failed while submission"),
    Part.R8_BILL: (_with(2, Fault.LOST, Fault.LATE_LIST), "nothing brings this home"),
    Part.R9_SIGHT: (_with(1, Fault.CRASH), "PAID TWICE"),
    Part.R9_JUDGE: (_with(1, Fault.CRASH), "nothing brings this home"),
    Part.R9_LOST: (_with(2, Fault.LOST, Fault.LATE_LIST), "nothing brings this home"),
    Part.R9_VOID: (_with(1, Fault.DENIED), "nothing brings this home"),
    Part.R9_KNOWN: (_with(1, Fault.TWICE), "nothing brings this home"),
    Part.R9_TWIN: (_with(1, Fault.TWICE), "nothing brings this home"),
    Part.R9_LATE: (_with(1, Fault.SLOW_WIRE), "nothing brings this home"),
    Part.R11_LOOK: (_with(1, Fault.RESTORED), "PAID TWICE"),
    Part.R11_HOME: (_with(1, Fault.RESTORED), "void, and was created"),
    Part.R11_DOUBT: (_with(1, Fault.RESTORED), "void, and was created"),
    Part.R11_QUIET: (_with(1, Fault.RESTORED), "PAID TWICE"),
    Part.R11_MARK: (_with(1, Fault.RESTORED), "PAID TWICE"),
    Part.R11_RECORD: (_with(1, Fault.RESTORED), "PAID TWICE"),
}
"""Part: bounds within which a search without it must find something, and what."""

NOT_MISSED: Final[dict[Part, tuple[Bounds, str]]] = {
    Part.PRESENCE: (
        _with(2, Fault.CRASH, Fault.FROZEN),
        ("Locks tell of dead owners in seconds. Without them send_by and the lease tell, later: nothing is less safe."),
    ),
    Part.R2_GATE_TIME: (
        _with(2, Fault.FROZEN, Fault.GONE),
        (
            "The kernel's timer ends a submitter at send_by, so nobody asks the gate later. The gate's clock is a"
            " second fence; alone it is none: without R3-timer it is kept, and doesn't help."
        ),
    ),
}
"""Part: bounds within which a search without it must find nothing, and why.

What a stricter protocol would ask for beyond these, and why the product needs no more:

- R2, R6, *leases of submitters*: who is sending is settled by `let_go_at`. It is set, and a submission is voided, only
  while it is null and the row says `sending`: one of the two wins, whatever clocks and locks say (R2-gate-state and
  R2-let-go are the two halves). A lease is left only on building a body, where losing it costs the work and no money.
- R10, *a person decides*: a decision proves nothing, so the model has no part of R10 to leave out. The fault `DECIDED`
  is a person who is wrong.
- *slots*, of which an unclear batch would have to give back its own: there are none. A claim asks only about its own
  batch (`ledger.claim`), so an unclear one keeps no other waiting.
- R11, *a copy whose original still runs*: one ledger is all that the model knows. A copy in another database sends
  nothing before a person says so (`tests/stages/poll/test_restored.py`).
"""
