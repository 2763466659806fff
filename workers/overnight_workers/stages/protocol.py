"""How a batch is never paid twice: the rules, and the decisions as pure functions over what is known.

The API has no idempotency key, a reply can get lost, a list can lag, strangers share the workspace and processes
freeze. So each create is a submission of its own, with a random token at the start of every custom_id, and these
functions say what may be concluded from what was seen. They do no I/O; submit, poll and rescue do.

What can't be known: a create that was accepted but is listed later than `quiet` after its last possible byte, one that
was executed although its answer says that it wasn't, and one that something on the way executed twice. The double is
found when it is listed, collected, billed and shown as paid twice.
"""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from hashlib import blake2b
from typing import Final
from uuid import UUID

from overnight_workers.anthropic_api.api import SPEND_LIMIT, Reply


class Rule(Enum):
    """The rules of the protocol. Code that keeps a rule cites its number; workers/docs/paid-once.md says where.

    Without any one of them a search finds a way to lose an answer or to pay twice (`tests/explore`).
    """

    R1 = (
        "Each create is a submission of its own, a row with a random token. Every custom_id begins with the token,"
        " and only a token proves whose a batch is, or rules one out. One token may stand on several batches."
    )
    R2 = (
        "A create goes in this order: claim; build the body and freeze its items; say durably `sending` and until when"
        " (`send_by`); send all but the last bytes; ask the database whether this submission may still be sent; send"
        " the last bytes. What failed before the last bytes was not created."
    )
    R3 = (
        "From that question to the last byte the time is bounded, for a frozen process too: the kernel's timer ends it"
        " at `send_by`."
    )
    R4 = (
        "Only a list that was begun after `quiet_after` (`send_by`, the time on the wire and the quiet time) may say"
        " that a create did not work."
    )
    R5 = (
        "A list counts only if it is complete, from the submission's workspace, and goes back past the claim by the"
        " API's own clock."
    )
    R6 = (
        "A fact counts whoever brings it and however late: the API's id is saved on its submission, first of all,"
        " in a transaction of its own, whatever state the submission is in and whatever was answered."
    )
    R7 = (
        "No batch is claimed, divided or given up while a submission of it, or of a batch that it is a part of,"
        " may still run. An id that comes late reopens its submission, and voids a later one whose last bytes were"
        " not sent."
    )
    R8 = (
        "An answer goes to any item that isn't final, and the first one is kept. Errors, expiries and cancels count"
        " only while no other submission of the batch may still run. The bill has a row for each submission and item."
    )
    R9 = (
        "Every list is compared with the ledger, and goes back now and then as far as anything was sent that may"
        " be there. A batch that is unknown is noted; when it has ended, its token is read and says whose it is."
        " Nothing is canceled because it looks alike: only a batch whose id is known."
    )
    R10 = (
        "What no list settles within a day is an alarm, and a person may decide it: a batch that is adopted must still"
        " be proven by its token, and one that was declared never created is still looked for."
    )
    R11 = (
        "The ledger knows in which database it lives. When that has changed, nothing is sent to a workspace before all"
        " of its batches that may be ours were looked at."
    )


TOKEN_CHARS: Final = 20
_RANDOM_CHARS: Final = 14
"""Of 6 bits each: 84 bits. The rest is the deployment's mark, 36 bits."""

CLOCK_SKEW: Final = timedelta(minutes=2)
"""How far the API's own timestamps are trusted to agree with each other."""


def new_token(deployment: UUID) -> str:
    """A submission's token: letters, digits, `-` and `_`, the last of them the deployment's mark (R1)."""
    drawn = secrets.token_urlsafe(_RANDOM_CHARS)[:_RANDOM_CHARS]
    return drawn + _mark(deployment, drawn)


def is_marked(deployment: UUID, token: str) -> bool:
    """Whether a token is of this deployment, even if its ledger has forgotten it (R11)."""
    return token[_RANDOM_CHARS:] == _mark(deployment, token[:_RANDOM_CHARS])


def _mark(deployment: UUID, drawn: str) -> str:
    digest = blake2b(drawn.encode(), key=deployment.bytes, digest_size=6).digest()
    return urlsafe_b64encode(digest).decode()[: TOKEN_CHARS - _RANDOM_CHARS]


def custom_id(token: str, item_id: int) -> str:
    """The custom_id of an item in a submission: proof that an answer is ours, and whose it is (R1)."""
    return f"{token}_{item_id}"


def read_custom_id(text: str) -> tuple[str, int] | None:
    """The token and the item's id; None when it isn't one of ours."""
    token, item = text[:TOKEN_CHARS], text[TOKEN_CHARS + 1 :]
    if len(token) == TOKEN_CHARS and text[TOKEN_CHARS : TOKEN_CHARS + 1] == "_" and item.isdecimal():
        return token, int(item)
    return None


# --- what one create tells -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Created:
    """It exists."""

    api_id: str


@dataclass(frozen=True)
class NotCreated:
    """It doesn't exist, and the same may work later."""

    why: str
    pause_s: float


@dataclass(frozen=True)
class SlowDown:
    """It doesn't exist; the whole workspace should wait."""

    why: str
    pause_s: float


@dataclass(frozen=True)
class Reject:
    """It doesn't exist, and the same would be turned down again."""

    why: str


@dataclass(frozen=True)
class HoldWorkspace:
    """It doesn't exist: money or permission stands in the way of everything in this workspace."""

    why: str
    until_resumed: bool = False
    """Time alone never ends it: a person changes something at Anthropic, and then says so."""


@dataclass(frozen=True)
class Unclear:
    """It may exist."""

    why: str


CreateVerdict = Created | NotCreated | SlowDown | Reject | HoldWorkspace | Unclear

_ABOUT_THE_CALLER: Final = re.compile(r"(parent_|linked_)?organization_|workspace_|cmek_|claude_code_|.*_spend_limit_")
"""Codes of this kind, also those of tomorrow."""
UNTIL_RESUMED: Final = frozenset(
    {"workspace_human_review_disabled", "organization_type_not_supported", "parent_organization_required"}
)
_LONGEST_PAUSE_S: Final = 3600.0
_SAYS_NOT_CREATED: Final = frozenset({400, 401, 402, 403, 404, 413, 422, 429})
_MOVED: Final = frozenset({301, 307, 308})
"""Redirects that say "send it there instead": nothing was executed here. 302 and 303 may follow what was."""


def is_about_the_caller(error_code: object) -> bool:
    """Whether an error's code is about the account, the workspace or the key, and about no request."""
    return isinstance(error_code, str) and _ABOUT_THE_CALLER.match(error_code) is not None


def classify_create_reply(reply: Reply, *, releases: int) -> CreateVerdict:
    """What one create tells.

    releases: how often a create of this batch was known to have failed before; the pause grows with it.
    """
    why = f"{reply.status} {reply.text}".strip() if reply.status else reply.text
    # a workspace that is out of money over a weekend is tried thousands of times
    pause_s = min(2.0 * 2 ** min(releases, 10), 300.0)
    if reply.status is not None and 200 <= reply.status < 300:
        return Created(reply.api_id) if reply.api_id else Unclear(f"an answer without an id: {why}")
    if reply.status is None:
        return Unclear(why) if reply.last_byte_authorized else NotCreated(why, pause_s)
    if reply.status in _SAYS_NOT_CREATED and is_about_the_caller(reply.error_code):
        # the words alone may speak of a rate limit
        return HoldWorkspace(f"{why} ({reply.error_code})", until_resumed=reply.error_code in UNTIL_RESUMED)
    if reply.status == 401 and reply.key_is_renewed:
        return NotCreated(f"{why}: sent with an old key, and there is a new one", 0.0)
    if reply.status in (401, 402, 403, 404) or reply.status in _MOVED:
        return HoldWorkspace(why)
    if reply.status == 400 and SPEND_LIMIT.search(reply.text):
        return HoldWorkspace(why)
    if reply.status in (400, 413, 422):
        return Reject(why)
    if reply.status == 429:
        return SlowDown(why, min(reply.retry_after_s or max(pause_s, 15.0), _LONGEST_PAUSE_S))
    return Unclear(why) if reply.last_byte_authorized else NotCreated(why, pause_s)


# --- what a list tells ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listing:
    """One look at the API's list of batches, newest first."""

    started_at: datetime
    """By the database's clock, before the first page was asked for."""
    api_clock_ahead: timedelta
    """The API's Date header minus the database's clock."""
    api_workspace_id: str
    back_to: datetime | None
    """The oldest created_at on it, by the API's clock; None when it goes back to the very first."""
    odd: str | None = None
    """Why it proves nothing about what isn't on it: it can't all be read, or lies about its pages."""


@dataclass(frozen=True)
class Sent:
    """A submission of which it isn't known whether it was created."""

    claimed_at: datetime
    quiet_after: datetime
    api_workspace_id: str | None


@dataclass(frozen=True)
class Candidate:
    """A batch at the API that no token has ruled out. How many requests it has, by its counts, proves nothing."""

    created_at: datetime
    believed: bool = False
    """A person says that it is this submission."""


def window(sent: Sent, listing: Listing) -> tuple[datetime, datetime]:
    """When the API would have created it, by the API's clock."""
    ahead = listing.api_clock_ahead
    return sent.claimed_at + ahead - CLOCK_SKEW, sent.quiet_after + ahead + CLOCK_SKEW


def may_be(sent: Sent, candidate: Candidate, listing: Listing) -> bool:
    """Whether a batch at the API may be this submission. Only its token can prove it."""
    earliest, latest = window(sent, listing)
    return candidate.believed or earliest <= candidate.created_at <= latest


def worth_a_look(claimed_at: datetime, candidate: Candidate, listing: Listing) -> bool:
    """Whether an unknown batch's token should be read: a submission that was claimed then may be it, however late.

    Also one that is known to be at the API, which may be there twice, and one whose create was said not to have worked.
    """
    return candidate.created_at >= claimed_at + listing.api_clock_ahead - CLOCK_SKEW


def goes_back_to(claimed_at: datetime, listing: Listing) -> bool:
    """Whether a list shows everything that was created since then (R5)."""
    return listing.back_to is None or listing.back_to <= claimed_at + listing.api_clock_ahead - CLOCK_SKEW


def why_not_lost(sent: Sent, listing: Listing, candidates: Sequence[Candidate]) -> str | None:
    """Why a list can't say that a submission was never created; None when it can: then it is lost (R4, R5)."""
    if listing.started_at <= sent.quiet_after:
        return "it may still be listed: the quiet time isn't over"
    if listing.api_workspace_id != sent.api_workspace_id:
        return "the list is from another workspace than the one it was sent to"
    if listing.odd is not None:
        return f"the list proves nothing: {listing.odd}"
    if not goes_back_to(sent.claimed_at, listing):
        return "the list doesn't go back far enough"
    if any(candidate.believed for candidate in candidates):
        return "a person says which batch it is: its token is read when that one has ended"
    if any(may_be(sent, candidate, listing) for candidate in candidates):
        return "a batch of the same time may be it: its token is read when that one has ended"
    return None


# --- what a ledger that moved must see first (R11) -------------------------------------------------------------------


def why_still_looking(
    listing: Listing, *, since: datetime, api_workspace_id: str | None, until: datetime, undecided: int
) -> str | None:
    """Why a workspace may not be sent to yet after the ledger moved; None when everything was looked at.

    since: by the API's clock; nothing of what may still be sent can have been created before.
    until: by the database's clock; what was being sent when the ledger moved is listed by then.
    undecided: batches at the API that may be ours and aren't proven or recorded.
    """
    if listing.started_at <= until:
        return "what was being sent when the ledger moved may still be listed"
    if api_workspace_id is not None and listing.api_workspace_id != api_workspace_id:
        return "the list is from another workspace"
    if listing.odd is not None:
        return f"the list proves nothing: {listing.odd}"
    if listing.back_to is not None and listing.back_to > since:
        return "the list doesn't go back far enough"
    if undecided:
        return f"{undecided} batches at the API may be ours: each is read when it has ended"
    return None
