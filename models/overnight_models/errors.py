"""Everything Overnight raises.

    OvernightError
    ├── TransientError          try again: nothing was lost, nothing was spent
    │   ├── Unreachable         Redis, or any worker behind it, didn't answer in time
    │   ├── NotConfirmed        no word yet that the items are in Postgres
    │   ├── NotYet              no worker has taken the item in yet
    │   ├── NotFinished         the item, or the run, has no outcome yet
    │   └── KeyMissing          the outcome is encrypted, and its key isn't there
    └── PermanentError          trying again changes nothing
        ├── BadItem             this item can't be sent as it is
        ├── Rejected            the workers turned the item down
        ├── UnknownItem         nobody enqueued an item of that name
        ├── UnknownRun          nothing of a run of that name is in Postgres
        ├── BadSettings         the configuration is wrong (every fault listed)
        ├── BadSession          the `session` can't take an item
        ├── BadOutput           an outcome can't be read as what was asked for
        └── BadSignature        a webhook isn't from whoever knows the secret, or isn't from just now

No exception of redis, kombu, psycopg or anthropic leaves a public call; the original is the `__cause__`. Those of a
`session` that a product hands in are its own, and come as they are: who repeats a transaction goes by them.
"""

from __future__ import annotations

from typing import Final


class OvernightError(Exception):
    """Base of every error that Overnight raises on purpose.

    sent: what was enqueued before the error, where that is known (a `Sent` of `overnight_producers`).
    """

    sent: object | None = None


class TransientError(OvernightError):
    """Try again: nothing was lost and nothing was spent."""


class PermanentError(OvernightError):
    """Trying the same again changes nothing."""


class Unreachable(TransientError):
    """Redis, or any worker behind it, didn't answer. A message may have got through: send it again, it's free."""


class NotConfirmed(TransientError):
    """No worker has confirmed these items yet. Send them again with the same receipt or key, it's free."""


class NotYet(TransientError):
    """No worker has taken the item in yet: its message is on its way.

    Ask again; or enqueue the same again, it's free.
    """


class NotFinished(TransientError):
    """The item, or the run, has no outcome yet. Wait longer, or read it later."""


class KeyMissing(TransientError):
    """What was asked for is encrypted at rest, and the workers don't have its key now. Ask again once they have it.

    Nothing is lost, and nothing is paid again.
    """


_KEY_SHOWN: Final = 100
"""Characters of a key in an error: a key that is far too long isn't printed whole."""


class BadItem(PermanentError):
    """An item can't be sent as it is; every fault is named, with what to do about it.

    faults: one sentence each.
    key: the item's key, if it has one.
    index: its position in what was enqueued, counted from 0.
    """

    def __init__(self, faults: list[str], *, key: str | None = None, index: int | None = None) -> None:
        self.faults = faults
        self.key = key
        self.index = index
        shown = key[:_KEY_SHOWN] + "…" if isinstance(key, str) and len(key) > _KEY_SHOWN else key
        name = f"item {shown!r}" if key is not None else "item" if index is None else f"item {index}"
        super().__init__(f"{name}: " + "; ".join(faults))


class Rejected(PermanentError):
    """The workers turned it down, and it says why: an item that isn't in Postgres and won't be sent, or a `redo`."""


class UnknownItem(PermanentError):
    """No item of that key or receipt is known in this lane."""


class UnknownRun(PermanentError):
    """Nothing of a run of that name is in Postgres. Where it was enqueued just now: `confirm` first."""


class BadSettings(PermanentError):
    """The configuration is wrong; every fault is listed at once."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("the configuration has faults:\n" + "\n".join(f"  - {fault}" for fault in faults))


class BadSession(PermanentError):
    """The `session` can't take it: it isn't one, has no transaction, or its database has no inbox for this role."""


class BadOutput(PermanentError):
    """The outcome has no text, or its text doesn't fit the model it should be read as."""


class BadSignature(PermanentError):
    """A webhook that can't be trusted: not signed with a secret known here, too old, or its headers make no sense.

    Answer 401 and do nothing of what it says.
    """
