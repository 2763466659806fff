"""What time does to a service, without waiting for it: the ledger's times are moved."""

from __future__ import annotations

from tests.service.ledger import Ledger


class Clock:
    """The clock of one service."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def pauses_last(self) -> None:
        """The pause of a broker that is away isn't over before a test has looked, however slow the machine is."""
        self._ledger.execute("UPDATE obstacle SET not_before = now() + interval '1 minute'")

    def pauses_are_over(self) -> None:
        """Whatever waits for its time has it now."""
        for statement in (
            "UPDATE batch SET not_before = now() WHERE not_before > now()",
            "UPDATE workspace SET not_before = now() WHERE not_before > now()",
            "UPDATE workspace SET look_after = now() WHERE look_after > now()",
            "UPDATE submission SET next_read_at = now() WHERE next_read_at > now()",
            "UPDATE sighting SET next_read_at = now() WHERE next_read_at > now()",
            "UPDATE workspace SET swept_at = NULL",
            "UPDATE unmeasured SET not_before = now() WHERE not_before > now()",
            "UPDATE delivery SET due_at = now() WHERE state = 'due' AND due_at > now()",
            "UPDATE obstacle SET not_before = now() WHERE not_before > now()",
            "UPDATE direct_pause SET not_before = now() WHERE not_before > now()",
            "UPDATE item SET direct_at = now() WHERE direct_at > now()",
        ):
            self._ledger.execute(statement)

    def leases_lapse(self) -> None:
        """Whoever holds something is taken for dead."""
        for statement in (
            "UPDATE submission SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL",
            "UPDATE submission SET send_by = now() - interval '5 s' WHERE state = 'sending'",
            "UPDATE direct_claim SET lease_until = now() - interval '1 s' WHERE done_at IS NULL",
            "UPDATE delivery SET due_at = now() - interval '1 s' WHERE state = 'sending'",
            "UPDATE hand_over SET due_at = now() - interval '1 s'",
        ):
            self._ledger.execute(statement)

    def patience_is_over(self) -> None:
        """Callbacks that haven't acknowledged yet are late."""
        self._ledger.execute("UPDATE delivery SET due_at = now() - interval '1 s' WHERE state = 'awaiting_ack'")

    def quiet_is_over(self) -> None:
        """What was created is listed by now."""
        self._ledger.execute(
            "UPDATE submission SET send_by = now(), quiet_after = now() WHERE state IN ('sending', 'unclear')"
        )
