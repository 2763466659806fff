"""What the API said of a whole batch, encrypted where its lane says so: it may quote what was asked.

Its status stays readable, since people and statements decide by it, and a mark of its words that is equal where the
words are: `400 [kfjadmcb] encrypted:…`.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final, NamedTuple

from overnight_models.ledger.bodies.encryption import MARK, NoKey, keys_of, seal_str, unseal_text, writing_key
from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import fetch_value

_BY_THE_API: Final = re.compile(r"(?P<status>[0-9]{3} )(?P<words>.+)", re.DOTALL)
"""What is said without a status was said here, and quotes nothing."""
_LETTERS: Final = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_SEALED: Final = re.compile(re.escape(MARK) + r"\S+")


_ENCRYPTED: Final = "(encrypted)"


class Said(NamedTuple):
    """Words about a batch, as its rows have them."""

    of_batch: str
    of_submission: str


def key_of_batch(connection: Connection, batch_id: int) -> bytes | None:
    """The key for what is said of a batch; None: its lane doesn't encrypt. Raises NoKey."""
    keys = keys_of(connection)
    if keys is None or not keys.are_used:
        return None
    lane = fetch_value(
        connection, str, "SELECT lane.name FROM batch JOIN lane ON lane.id = lane_id WHERE batch.id = :id", id=batch_id
    )
    return None if lane is None else writing_key(connection, lane)


def of_batch(connection: Connection, batch_id: int, submission_id: int, why: str) -> Said:
    """Words as a batch's and a submission's row have them: without the key only their status, which counts."""
    try:
        key = key_of_batch(connection, batch_id)
    except NoKey:
        return Said(*[_BY_THE_API.sub(r"\g<status>(its encryption key wasn't there to keep the words)", why)] * 2)
    if key is None:
        return Said(why, why)
    return Said(sealed(key, f"batch:{batch_id}", why), sealed(key, f"submission:{submission_id}", why))


def listed_for(connection: Connection, batch_id: int, why: str) -> str:
    """What the API said of a batch, for a log or a reason elsewhere: nothing of it where its lane encrypts."""
    try:
        return why if key_of_batch(connection, batch_id) is None else _ENCRYPTED
    except NoKey:
        return _ENCRYPTED


def sealed(key: bytes, place: str, why: str) -> str:
    """Words by this key, where the API said them."""
    said = _BY_THE_API.fullmatch(why)
    if said is None:
        return why
    words = re.sub(r"[0-9]+", "", said["words"]).encode()
    mark = blake2b(words, key=key, digest_size=4, person=b"overnight words").hexdigest().translate(_LETTERS)
    return f"{said['status']}[{mark}] {seal_str(key, place, said['words'])}"


def opened(connection: Connection, place: str, why: str) -> str:
    """The words as they were; why they can't be read where they can't."""
    try:
        return readable(connection, place, why)
    except DamagedGroup as error:
        return f"{why.partition('[')[0]}(it can't be read: {error})"


def readable(connection: Connection, place: str, why: str) -> str:
    """The same. Raises Unreadable and DamagedGroup."""
    token = token_in(why)
    return why if token is None else why.partition("[")[0] + unseal_text(connection, place, token)


def is_by_the_api(why: str) -> bool:
    """Whether it is what the API said: that is encrypted, where the lane is, and nothing else."""
    return _BY_THE_API.fullmatch(why) is not None


def token_in(why: str) -> str | None:
    """What is encrypted of it; None: nothing is."""
    match = _SEALED.search(why)
    return None if match is None else match[0]


def listed(why: str) -> str:
    """The words as a list, a log or a reason elsewhere has them."""
    return _SEALED.sub(_ENCRYPTED, why)


def listed_in_sql(column: str) -> str:
    """The same in SQL."""
    return f"regexp_replace({column}, '{MARK}[^ ]+', '{_ENCRYPTED}')"
