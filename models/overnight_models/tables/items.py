"""Items: how they came in, where they are, what they ask, and how many there are of each state."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, SmallInteger, text
from sqlmodel import Field

from overnight_models.states import ITEM
from overnight_models.tables.columns import Table, big, by_item, known_state, long_text, new_id, now, zero


class Inbox(Table, table=True):
    """One accept message: counted before it is parsed, so that one that kills its worker can't kill for ever."""

    __tablename__ = "inbox"
    # one entry for a hundred pages: they are forgotten by their age, and single items have a message each
    __table_args__ = (Index("inbox_by_time", "received_at", postgresql_using="brin"),)
    message_id: UUID = Field(primary_key=True)
    tries: int = Field(sa_type=SmallInteger)
    received_at: datetime = now()
    done_at: datetime | None = None
    verdict: str | None = long_text(default=None)
    """JSON, as `ledger.accept.Verdict` has it; null while it isn't done."""


class ItemKey(Table, table=True):
    """The caller's name for an item: the same key and content is the same item."""

    __tablename__ = "item_key"
    lane_id: int = Field(primary_key=True)
    key_hash: bytes = Field(primary_key=True)
    item_id: int = big()
    content_hash: bytes


class Item(Table, table=True):
    """The narrow row of an item: where it is. Its request and its outcome are elsewhere."""

    __tablename__ = "item"
    __table_args__ = (
        known_state(ITEM),
        CheckConstraint("(state = 'waiting') <= (batch_id IS NULL)", name="waiting_items_are_in_no_batch"),
        CheckConstraint("(state = 'batched') <= (batch_id IS NOT NULL)", name="batched_items_are_in_a_batch"),
        CheckConstraint("(state = 'waiting') = (waiting_since IS NOT NULL)", name="only_waiting_items_wait"),
        CheckConstraint("(state = 'held') = (held_by IS NOT NULL)", name="only_held_items_are_held"),
        CheckConstraint(
            "direct_at IS NULL OR state IN ('waiting', 'held', 'batched')",
            name="what_is_being_sent_or_is_over_is_not_to_be_sent",
        ),
        # no index mentions the state: when an answer comes, nothing that is indexed changes, and the update is HOT
        # (findings/postgres-a-state-in-an-index-predicate-ends-hot-updates.sh)
        # these two lack the id: the items of a message or of a batch are one entry with 6 bytes for each item, instead
        # of one of 32 to 44 bytes each
        Index(
            "item_waiting",
            "lane_id",
            "headers_id",
            "tenant_id",
            "waiting_since",
            postgresql_where=text("waiting_since IS NOT NULL"),
        ),
        # those in batches too: they are to be sent beside their batch
        Index(
            "item_to_be_sent",
            "lane_id",
            "headers_id",
            "model_id",
            "tenant_id",
            "direct_at",
            "id",
            postgresql_where=text("direct_at IS NOT NULL AND held_by IS NULL"),
        ),
        Index(
            "item_to_be_sent_by_deadline",
            "lane_id",
            "headers_id",
            "model_id",
            "deadline",
            postgresql_where=text("direct_at IS NOT NULL AND held_by IS NULL AND deadline IS NOT NULL"),
        ),
        Index("item_in_batch", "batch_id", postgresql_where=text("batch_id IS NOT NULL")),
        Index("item_held", "held_by", "held_reason", "held_since", "id", postgresql_where=text("held_by IS NOT NULL")),
        # none of them mentions what changes when an answer comes
        Index(
            "item_waiting_by_deadline",
            "lane_id",
            "headers_id",
            "deadline",
            postgresql_where=text("waiting_since IS NOT NULL AND deadline IS NOT NULL AND direct_at IS NULL"),
        ),
        Index(
            "item_in_batch_by_deadline",
            "batch_id",
            "deadline",
            postgresql_where=text("batch_id IS NOT NULL AND deadline IS NOT NULL"),
        ),
        Index(
            "item_to_give_up",
            "give_up_at",
            postgresql_where=text("give_up_at IS NOT NULL AND (waiting_since IS NOT NULL OR held_by IS NOT NULL)"),
        ),
        {"postgresql_partition_by": "RANGE (id)"},
    )
    id: int = by_item()
    lane_id: int
    headers_id: int
    run_id: int | None = None
    tenant_id: int | None = None
    chain_id: int | None = None
    """What it may cost together with others of its `trace_id` is bounded; null when its lane bounds nothing."""
    model_id: int
    schema_id: int | None = None
    prefix_id: int | None = None
    """What its request begins with, beside its own part; null when it is whole."""
    shape_id: int | None = None
    """Null when it isn't checked before it is sent."""
    target_id: int | None = None
    """Where its outcome goes; null when it is read later."""
    batch_id: int | None = big(default=None)
    waiting_since: datetime | None = None
    """Since when it waits for a batch; null when it doesn't."""
    size: int
    """Bytes of its request."""
    callback_size: int = Field(sa_column_kwargs={"server_default": "0"})
    """Bytes of what its callback is told beside the outcome."""
    max_tokens: int
    """The most that its answer may have."""
    state: str = long_text()
    attempts: int = Field(sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    """Outcomes so far that said: try again."""
    cancel_wanted: bool = Field(sa_column_kwargs={"server_default": "false"})
    """Its owner doesn't want the outcome any more: billed and recorded, not delivered."""
    held_by: int | None = None
    """The budget that holds it; 0: none does, but its request can't be read."""
    held_since: datetime | None = None
    """Since when it waited when it was held: it goes on in its old place."""
    held_reason: str | None = long_text(default=None)
    reserved_nano: int | None = big(default=None)
    """What its batch has reserved for it in budgets, or what it needs while it is held; null where there is none."""
    deadline: datetime | None = None
    """When its answer is wanted at the latest; null when nobody said so."""
    give_up_at: datetime | None = None
    """An answer after that is of no use: it isn't bought."""
    batch_chance: int | None = Field(default=None, sa_type=SmallInteger)
    """In percent, how likely a batch was in time when its road was decided; null where its deadline decides nothing."""
    direct_at: datetime | None = None
    """From then on it is to be sent in real time, the earliest first; null when never, while it is being sent, and when
    it is over."""
    purged: bool = Field(sa_column_kwargs={"server_default": "false"})
    """Nothing of its request and its answer is kept, and nothing of an answer that is still to come will be."""


class RunBlock(Table, table=True):
    """A block of 250 item ids in which a run has items (`ledger.run_items`); by a trigger, so none is missed."""

    __tablename__ = "run_block"
    run_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    block: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    """The items' ids divided by 250."""
    place: int = Field(primary_key=True, sa_type=SmallInteger, sa_column_kwargs={"autoincrement": False})
    """Of an item in the block: two that write at once never wait for each other, and two rows say the same as one."""


class Request(Table, table=True):
    """What an item asks, and for whom; written once, but where it is cut or its model is chosen, before it is sent."""

    __tablename__ = "request"
    __table_args__ = ({"postgresql_partition_by": "RANGE (item_id)"},)
    item_id: int = by_item()
    receipt: UUID
    """The producer's id for the item."""
    key: str = long_text()
    tenant: str | None = long_text(default=None)
    trace_id: str | None = long_text(default=None)
    callback: str | None = long_text(default=None)
    """JSON: {"task", "queue", "args", "kwargs", "broker", "ack"}. Null where there is none, or its number says it."""
    params: str | None = long_text(default=None)
    """JSON, passed through unparsed; without its prefix. Null: it lies in a group."""
    body_group: int | None = big(default=None)
    body_place: int | None = Field(default=None, sa_type=SmallInteger)
    """Which of its group's it is, from 0."""
    unbounded: bool | None = None
    """Something in it has no bound (`request.worst_case`); null where `params` says it."""
    enqueued_at: datetime = now()
    cut_from_tokens: int | None = None
    """Its prompt was too long, so a text of `params` was cut: its tokens before and after, as the API counts them."""
    cut_to_tokens: int | None = None
    model_why: str | None = long_text(default=None)
    """Why its lane has chosen the model in `params`; null where its producer named it."""
    traceparent: str | None = long_text(default=None)
    """The span of its producer within which it was enqueued; null outside of any."""
    tracestate: str | None = long_text(default=None)
    """What tracing systems add to it; null where they add nothing."""
    callback_id: int | None = None
    """The number of a callback that says nothing of the item."""


class RequestGroup(Table, table=True):
    """What many items ask, compressed as one value (`ledger.bodies.packed`): of one lane, one tenant, one partition."""

    __tablename__ = "request_group"
    __table_args__ = (
        CheckConstraint("items > 0", name="a_group_of_requests_has_some"),
        {"postgresql_partition_by": "RANGE (id)"},
    )
    id: int = by_item()
    """The first of its items."""
    items: int = Field(sa_type=SmallInteger)
    packed: bytes


class Redo(Table, table=True):
    """An item that has taken the place of one that failed or was canceled: the same receipt and key, tried again."""

    __tablename__ = "redo"
    item_id: int = by_item()
    of_item_id: int = big(unique=True)
    """The item before it, whose outcome and bill stay where they are."""
    number: int
    """How often this has happened to the receipt."""
    asked_again: int = zero()
    """How many of the last ones were `retry_invalid`'s, one after the other."""
    escalated: bool = Field(sa_column_kwargs={"server_default": "false"})
    """One of them went to a stronger model."""
    attempts_before: int
    """Tries that had an outcome, before it."""
    cost_before_nano: int | None = big(default=None)
    """What was billed for those; null when that isn't known."""
    at: datetime = now()


class Follower(Table, table=True):
    """An item that asked what another asks already, with other wishes, and gets that one's outcome."""

    __tablename__ = "follower"
    item_id: int = by_item()
    of_item_id: int = big(index=True)
    receipt: UUID = Field(unique=True)
    """Its own."""


class Recall(Table, table=True):
    """An item that was taken back before its message was accepted: when it comes it is canceled at once."""

    __tablename__ = "recall"
    receipt: UUID = Field(primary_key=True)
    at: datetime = now()


class Unmeasured(Table, table=True):
    """An item that isn't packed before the API has counted it: it may be too long, or between its lane's models."""

    __tablename__ = "unmeasured"
    __table_args__ = (
        Index("unmeasured_being_measured", "lease_until", postgresql_where=text("lease_until IS NOT NULL")),
    )
    item_id: int = by_item()
    cuttable: str | None = long_text(default=None)
    """The place of the text that may be cut, such as `messages.0.content`."""
    chooses: bool = Field(sa_column_kwargs={"server_default": "false"})
    """Its size is near a limit of its lane's models: the count says which it is."""
    tries: int = Field(sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    """Calls about it that got no answer; grows the pause before the next."""
    not_before: datetime | None = None
    owner: int | None = None
    """Whoever measures it: a lock of `ledger.presence`."""
    lease_until: datetime | None = None
    """While it is being measured: its owner is taken for dead after this at the latest."""


class Tally(Table, table=True):
    """Items and deliveries by state, outcomes by problem, as changes to be added up; by triggers, so it can't drift.

    Counting millions of rows for every status page would be the slowest query of all.
    """

    __tablename__ = "tally"
    __table_args__ = (
        # there are sums of every run that ever was, and products ask how far theirs is
        Index("tally_of_run", "run_id", postgresql_where=text("noun = 'item' AND run_id IS NOT NULL")),
    )
    id: int | None = new_id()
    noun: str = long_text()
    lane_id: int
    run_id: int | None = None
    headers_id: int | None = None
    state: str = long_text()
    n: int = big()
    bytes: int = big()


class UnfinishedSum(Table, table=True):
    """Unfinished items that nobody has taken back, by what their price depends on, as changes to be added up.

    By triggers, so it can't drift. What millions of items may cost is read from it.
    """

    __tablename__ = "unfinished_sum"
    id: int | None = new_id()
    lane_id: int
    headers_id: int
    batch_id: int | None = big(default=None)
    model_id: int
    state: str = long_text()
    in_real_time: bool
    """They are being sent in real time, or are to be."""
    up_to_tokens: int
    """The bound of each one's prompt, made a multiple of 50,000 (`ledger.unfinished`)."""
    n: int = big()
    bytes: int = big()
    max_tokens: int = big()
