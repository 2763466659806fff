"""The tables. What must never be true is a constraint here, and its name is the rule.

State is narrow, bodies are wide: an item's row is small and is updated as seldom as possible; its request and
its outcome are rows of their own, written once by COPY and never rewritten. Big tables are range-partitioned
by the item's id, so that retention drops partitions; keys live apart, because a unique key can't span
partitions. Big tables have no foreign keys: two of them triple the cost of an insert.
Times are the database's. Money is whole nano-dollars.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Identity,
    Index,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from overnight_models.states import BATCH, DELIVERY, ITEM, SUBMISSION, Life

PARTITION_ITEMS = 5_000_000
"""Item ids in one partition."""

PARTITIONED = ("item", "request", "outcome", "double", "delivery")
"""Tables partitioned by the item's id."""


def _known_state(life: Life) -> CheckConstraint:
    return CheckConstraint(life.check, name=f"{life.noun}_state_is_known")


def _id() -> Any:
    """A bigint given by the database."""
    return Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=(Identity(always=True),))


def _by_item() -> Any:
    """A bigint key given by another table: an item's id, or a submission's."""
    return Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})


def _big(**more: Any) -> Any:
    return Field(sa_type=BigInteger, **more)


def _text(**more: Any) -> Any:
    return Field(sa_type=Text, **more)


def _none() -> Any:
    """A count that is 0 unless told."""
    return Field(sa_column_kwargs={"server_default": "0"})


def _now() -> Any:
    return Field(sa_column_kwargs={"server_default": text("now()")})


class Table(SQLModel):
    """Base of every table: names are the words of models/README.md."""

    __tablename__: ClassVar[Any]


class Deployment(Table, table=True):
    """Which deployment this ledger is of, and in which database it lives: one row (R11)."""

    __tablename__ = "deployment"
    __table_args__ = (CheckConstraint("one", name="there_is_one_deployment"),)
    one: bool = Field(primary_key=True, sa_column_kwargs={"server_default": "true"})
    id: UUID = Field(sa_column_kwargs={"server_default": text("gen_random_uuid()")})
    """Every token of its submissions is marked with it; the configuration may name it."""
    home: str = _text()
    """System, timeline and database: what a restored or copied ledger has other than its original."""
    moved_at: datetime | None = None
    """When it was noticed that the ledger isn't where it was: nothing is sent before the API was looked at."""
    moved_why: str | None = _text(default=None)
    word_wanted: bool = Field(sa_column_kwargs={"server_default": "false"})
    """It may be a copy whose original still runs, so a person must say that it may send."""


class Workspace(Table, table=True):
    """One API key and what hangs on it."""

    __tablename__ = "workspace"
    name: str = _text(primary_key=True)
    api_workspace_id: str | None = _text(default=None)
    """As the API's response header says; '' if it says nothing. A list from another one proves nothing."""
    held_at: datetime | None = None
    held_reason: str | None = _text(default=None)
    """Money or permission: nothing is sent until this is over."""
    held_until_resumed: bool = Field(sa_column_kwargs={"server_default": "false"})
    """Trying again is of no use before a person has changed something at Anthropic and says so."""
    holds: int = Field(sa_column_kwargs={"server_default": "0"})
    """How often in a row it was held: it is tried again less and less often."""
    not_before: datetime | None = None
    """Rate limited until then."""
    looked_at: datetime | None = None
    """When everything that the API lists had been looked at; after the deployment moved, it is sent to again."""


class Lane(Table, table=True):
    """A named stream of items. Its policy is configuration; here is what operators did to it."""

    __tablename__ = "lane"
    id: int | None = Field(default=None, primary_key=True)
    name: str = _text(unique=True)
    paused_at: datetime | None = None
    paused_reason: str | None = _text(default=None)


class Run(Table, table=True):
    """A named group of items with one progress and one bill."""

    __tablename__ = "run"
    id: int | None = Field(default=None, primary_key=True)
    name: str = _text(unique=True)
    created_at: datetime = _now()


class Plan(Table, table=True):
    """What a run was estimated to cost before it was enqueued; beside it the bill, once every item is final."""

    __tablename__ = "plan"
    __table_args__ = (
        CheckConstraint(
            "tokens_in BETWEEN tokens_in_low AND tokens_in_high"
            " AND tokens_out BETWEEN tokens_out_low AND tokens_out_high"
            " AND cost_nano BETWEEN cost_nano_low AND cost_nano_high",
            name="an_estimate_lies_in_its_interval",
        ),
        CheckConstraint(
            "num_nulls(billed_at, billed_items, billed_tokens_in, billed_tokens_out, billed_cost_nano) IN (0, 5)",
            name="a_plan_is_billed_whole_or_not",
        ),
        Index("plan_of_run", "run_id"),
        Index("plan_by_lane", "lane_id", "billed_at"),
    )
    id: int | None = _id()
    run_id: int = Field(foreign_key="run.id")
    lane_id: int = Field(foreign_key="lane.id")
    made_at: datetime = _now()
    items: int = _big()
    tokens_in: int = _big()
    tokens_in_low: int = _big()
    tokens_in_high: int = _big()
    tokens_out: int = _big()
    tokens_out_low: int = _big()
    tokens_out_high: int = _big()
    cost_nano: int = _big()
    cost_nano_low: int = _big()
    cost_nano_high: int = _big()
    document: str = _text()
    """JSON: the whole plan, as `overnight plan --json` printed it."""
    billed_at: datetime | None = None
    """When the run was seen to be final and its bill was put beside the estimate."""
    billed_items: int | None = _big(default=None)
    billed_tokens_in: int | None = _big(default=None)
    billed_tokens_out: int | None = _big(default=None)
    billed_cost_nano: int | None = _big(default=None)


class Headers(Table, table=True):
    """What a batch is sent with; items of different headers can't share a batch."""

    __tablename__ = "headers"
    __table_args__ = (UniqueConstraint("workspace", "betas", "api_version"),)
    id: int | None = Field(default=None, primary_key=True)
    workspace: str = _text()
    betas: str = _text()
    """The anthropic-beta header: names sorted and joined by commas; '' for none."""
    api_version: str = _text()


class Tenant(Table, table=True):
    """On whose behalf an item is sent: for fairness, budgets and bills."""

    __tablename__ = "tenant"
    id: int | None = Field(default=None, primary_key=True)
    name: str = _text(unique=True)


class Model(Table, table=True):
    """A model by the name that requests call it."""

    __tablename__ = "model"
    id: int | None = Field(default=None, primary_key=True)
    name: str = _text(unique=True)


class Target(Table, table=True):
    """Where outcomes go: a queue of a product, and the broker that it is on."""

    __tablename__ = "target"
    __table_args__ = (UniqueConstraint("broker", "queue"),)
    id: int | None = Field(default=None, primary_key=True)
    broker: str = _text()
    """The broker's name in the configuration; '' is Overnight's own Redis."""
    queue: str = _text()


class OutputSchema(Table, table=True):
    """A JSON schema that answers must fit, stored once by its hash."""

    __tablename__ = "output_schema"
    id: int | None = Field(default=None, primary_key=True)
    hash: bytes = Field(unique=True)
    document: str = _text()


class Prefix(Table, table=True):
    """What many requests begin with, stored once by its hash."""

    __tablename__ = "prefix"
    id: int | None = Field(default=None, primary_key=True)
    hash: bytes = Field(unique=True)
    document: str = _text()
    """JSON: {"tools", "system", "messages"}."""
    used_at: datetime = _now()
    """When an item last went on from it, to the day."""


class Caching(Table, table=True):
    """What a submission does with a prefix, why, and what came of it."""

    __tablename__ = "caching"
    __table_args__ = (
        Index("caching_lately", "lane_id", "at"),
        CheckConstraint("lifetime IN ('5m', '1h')", name="caches_live_five_minutes_or_an_hour"),
        CheckConstraint("priming IN ('ahead', 'given up')", name="one_goes_ahead_or_none_does_any_more"),
    )
    submission_id: int = _by_item()
    prefix_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    model_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    lane_id: int
    lifetime: str | None = _text(default=None)
    """For how long it is cached; null: it isn't."""
    why: str = _text()
    loses: bool = Field(sa_column_kwargs={"server_default": "false"})
    """It isn't cached because that would cost more than it saves, by what was measured."""
    priming: str | None = _text(default=None)
    """`ahead`: it writes the prefix for others; `given up`: nobody does, since those after it read it too seldom."""
    requests: int
    answers: int = _none()
    read_tokens: int = _big(sa_column_kwargs={"server_default": "0"})
    written_tokens: int = _big(sa_column_kwargs={"server_default": "0"})
    at: datetime = _now()


class Primer(Table, table=True):
    """The batch of one that last wrote a prefix into the cache for those after it."""

    __tablename__ = "primer"
    headers_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    prefix_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    model_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    batch_id: int = _big(index=True)
    at: datetime = _now()


class Shape(Table, table=True):
    """A kind of request: what the API checks of it beside its text, and what it is sent with."""

    __tablename__ = "shape"
    id: int | None = Field(default=None, primary_key=True)
    hash: bytes = Field(unique=True)
    passed_at: datetime | None = None
    """When the API took one for the first time; until then some are asked about before they are sent."""


class Inbox(Table, table=True):
    """One accept message: counted before it is parsed, so that one that kills its worker can't kill for ever."""

    __tablename__ = "inbox"
    # one entry for a hundred pages: they are forgotten by their age, and single items have a message each
    __table_args__ = (Index("inbox_by_time", "received_at", postgresql_using="brin"),)
    message_id: UUID = Field(primary_key=True)
    tries: int = Field(sa_type=SmallInteger)
    received_at: datetime = _now()
    done_at: datetime | None = None
    verdict: str | None = _text(default=None)
    """JSON: {"accepted": n, "known": n, "rejected": [{"index", "key", "why"}]}; null while it isn't done."""


class ItemKey(Table, table=True):
    """The caller's name for an item: the same key and content is the same item."""

    __tablename__ = "item_key"
    lane_id: int = Field(primary_key=True)
    key_hash: bytes = Field(primary_key=True)
    item_id: int = _big()
    content_hash: bytes


class Item(Table, table=True):
    """The narrow row of an item: where it is. Its request and its outcome are elsewhere."""

    __tablename__ = "item"
    __table_args__ = (
        _known_state(ITEM),
        CheckConstraint("(state = 'waiting') <= (batch_id IS NULL)", name="waiting_items_are_in_no_batch"),
        CheckConstraint("(state = 'batched') <= (batch_id IS NOT NULL)", name="batched_items_are_in_a_batch"),
        CheckConstraint("(state = 'waiting') = (waiting_since IS NOT NULL)", name="only_waiting_items_wait"),
        CheckConstraint("(state = 'held') = (held_by IS NOT NULL)", name="only_held_items_are_held"),
        # no index mentions the state: when an answer comes, nothing that is indexed changes, and the update is HOT
        Index(
            "item_waiting",
            "lane_id",
            "headers_id",
            "tenant_id",
            "waiting_since",
            "id",
            postgresql_where=text("waiting_since IS NOT NULL"),
        ),
        Index("item_in_batch", "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
        Index("item_in_run", "run_id", "id", postgresql_where=text("run_id IS NOT NULL")),
        Index("item_held", "held_by", "held_reason", "held_since", "id", postgresql_where=text("held_by IS NOT NULL")),
        {"postgresql_partition_by": "RANGE (id)"},
    )
    id: int = _by_item()
    lane_id: int
    headers_id: int
    run_id: int | None = None
    tenant_id: int | None = None
    model_id: int
    schema_id: int | None = None
    prefix_id: int | None = None
    """What its request begins with, beside its own part; null when it is whole."""
    shape_id: int | None = None
    """Null when it isn't checked before it is sent."""
    target_id: int | None = None
    """Where its outcome goes; null when it is read later."""
    batch_id: int | None = _big(default=None)
    waiting_since: datetime | None = None
    """Since when it waits for a batch; null when it doesn't."""
    size: int
    """Bytes of its request."""
    callback_size: int = Field(sa_column_kwargs={"server_default": "0"})
    """Bytes of what its callback is told beside the outcome."""
    max_tokens: int
    """The most that its answer may have."""
    state: str = _text()
    attempts: int = Field(sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    """Outcomes so far that said: try again."""
    cancel_wanted: bool = Field(sa_column_kwargs={"server_default": "false"})
    """Its owner doesn't want the outcome any more: billed and recorded, not delivered."""
    held_by: int | None = None
    """The budget that holds it."""
    held_since: datetime | None = None
    """Since when it waited when it was held: it goes on in its old place."""
    held_reason: str | None = _text(default=None)
    reserved_nano: int | None = _big(default=None)
    """What its batch has reserved for it in budgets, or what it needs while it is held; null where there is none."""


class Request(Table, table=True):
    """What an item asks, and for whom; written once, but where it is cut before it is first packed."""

    __tablename__ = "request"
    __table_args__ = ({"postgresql_partition_by": "RANGE (item_id)"},)
    item_id: int = _by_item()
    receipt: UUID
    """The producer's id for the item."""
    key: str = _text()
    tenant: str | None = _text(default=None)
    trace_id: str | None = _text(default=None)
    callback: str | None = _text(default=None)
    """JSON: {"task", "queue", "args", "kwargs", "broker", "ack"}."""
    params: str = _text()
    """JSON, passed through unparsed; without its prefix."""
    enqueued_at: datetime = _now()
    cut_from_tokens: int | None = None
    """Its prompt was too long, so a text of `params` was cut: its tokens before and after, as the API counts them."""
    cut_to_tokens: int | None = None


class Unmeasured(Table, table=True):
    """An item whose prompt may be longer than its lane takes: it isn't packed before the API has counted it."""

    __tablename__ = "unmeasured"
    __table_args__ = (
        Index("unmeasured_being_measured", "lease_until", postgresql_where=text("lease_until IS NOT NULL")),
    )
    item_id: int = _by_item()
    cuttable: str | None = _text(default=None)
    """The place of the text that may be cut, such as `messages.0.content`."""
    tries: int = Field(sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    """Calls about it that got no answer; grows the pause before the next."""
    not_before: datetime | None = None
    owner: int | None = None
    """Whoever measures it: a lock of `ledger.presence`."""
    lease_until: datetime | None = None
    """While it is being measured: its owner is taken for dead after this at the latest."""


class Batch(Table, table=True):
    """One Message Batch: ours from the moment it is packed, Anthropic's from the moment it is submitted."""

    __tablename__ = "batch"
    __table_args__ = (
        _known_state(BATCH),
        Index("batch_by_state", "state"),
    )
    id: int | None = _id()
    lane_id: int = Field(foreign_key="lane.id")
    headers_id: int = Field(foreign_key="headers.id")
    parent_id: int | None = _big(default=None)
    """The rejected batch that this one is a part of."""
    state: str = _text()
    items: int
    """Items it was packed with."""
    size: int = _big()
    """Bytes of their requests."""
    has_schemas: bool = Field(sa_column_kwargs={"server_default": "false"})
    """Some of its items asked for an answer of a schema."""
    has_prefixes: bool = Field(sa_column_kwargs={"server_default": "false"})
    """Some of its items have a prefix."""
    packed_at: datetime = _now()
    changed_at: datetime = _now()
    """When its state last changed."""
    not_before: datetime | None = None
    """Not sent again before then."""
    releases: int = Field(sa_column_kwargs={"server_default": "0"})
    """How often a create of it was known to have failed; grows the pause before the next."""
    reason: str | None = _text(default=None)
    """Why it is in its state, where that needs saying."""


class Submission(Table, table=True):
    """One attempt to create a batch: a row, with a token, before the API is called."""

    __tablename__ = "submission"
    __table_args__ = (
        _known_state(SUBMISSION),
        # a batch is never being sent twice at once, whoever believes what
        Index(
            "one_submission_under_way_per_batch",
            "batch_id",
            unique=True,
            postgresql_where=text("state IN ('claimed', 'sending', 'unclear')"),
        ),
        Index("submission_by_batch", "batch_id"),
        Index("submission_unfinished", "state", postgresql_where=text("state NOT IN ('void', 'done')")),
        CheckConstraint("(state = 'open') <= (api_id IS NOT NULL)", name="open_submissions_have_an_api_id"),
        CheckConstraint("(state = 'sending') <= (send_by IS NOT NULL)", name="sending_ends_at_a_time"),
    )
    id: int | None = _id()
    batch_id: int = _big(foreign_key="batch.id")
    token: str = _text(unique=True)
    """Random, the start of every custom_id: proof that a batch at the API is ours."""
    state: str = _text()
    items: int | None = None
    """Requests in the body, frozen before the first byte is sent."""
    owner: int | None = None
    """Whoever submits it, or later reads its results: a lock of `ledger.presence`."""
    claimed_at: datetime = _now()
    lease_until: datetime | None = None
    """While claimed, or while its results are read: the owner is taken for dead after this at the latest."""
    let_go_at: datetime | None = None
    """When its last bytes were let go. Without that it can't have been created."""
    send_by: datetime | None = None
    """No byte of it is written after this, by the database's clock."""
    quiet_after: datetime | None = None
    """Only a list that started after this may say that it was never created."""
    api_workspace_id: str | None = _text(default=None)
    """The workspace it was sent to, as the API names it."""
    api_id: str | None = _text(default=None, unique=True)
    api_created_at: datetime | None = None
    api_expires_at: datetime | None = None
    cancel_asked_at: datetime | None = None
    """When the API was told to stop it: a double of a batch that another submission has created."""
    remembered: bool = Field(sa_column_kwargs={"server_default": "false"})
    """Found at the API by its token's mark; the ledger had forgotten it, being restored."""
    ended_at: datetime | None = None
    """When the API says that it ended; its results can be read from then on."""
    counts: str | None = _text(default=None)
    """JSON: the API's request_counts when it ended."""
    reads: int = Field(sa_column_kwargs={"server_default": "0"})
    """How often its results were begun to be read."""
    misses: int = Field(sa_column_kwargs={"server_default": "0"})
    """How often they were read to their end and lines were missing."""
    next_read_at: datetime | None = None
    error: str | None = _text(default=None)


class Sighting(Table, table=True):
    """A batch that the API lists and the ledger doesn't know: a stranger's, or one of ours that got lost."""

    __tablename__ = "sighting"
    api_id: str = _text(primary_key=True)
    workspace: str = _text()
    items: int
    api_created_at: datetime
    ended_at: datetime | None = None
    seen_at: datetime = _now()
    ours: bool | None = None
    """Null until a token proves it either way, which takes until it has ended."""
    believed_of: int | None = _big(default=None)
    """The submission that a person believes it to be; its token still has to prove it."""


class Outcome(Table, table=True):
    """What came back for an item, with its bill, priced from its own usage; written once."""

    __tablename__ = "outcome"
    __table_args__ = (
        CheckConstraint("ok = (problem IS NULL)", name="an_outcome_is_ok_or_has_a_problem"),
        CheckConstraint("cost_nano >= 0 AND realtime_nano >= 0", name="nothing_costs_less_than_nothing"),
        CheckConstraint("billed OR cost_nano = 0", name="what_is_not_billed_costs_nothing"),
        {"postgresql_partition_by": "RANGE (item_id)"},
    )
    item_id: int = _by_item()
    submission_id: int | None = _big(default=None)
    """The submission that answered; null when nothing was sent."""
    finished_at: datetime = _now()
    cost_nano: int | None = _big(default=None)
    """Null when the model that served it has no price: it is billed, and nobody here knows at what."""
    realtime_nano: int | None = _big(default=None)
    input_tokens: int = _none()
    """Not cached ones."""
    cache_write_5m_tokens: int = _none()
    cache_write_1h_tokens: int = _none()
    cache_read_tokens: int = _none()
    output_tokens: int = _none()
    thinking_tokens: int = _none()
    """Part of the output tokens."""
    attempts: int = Field(sa_type=SmallInteger)
    ok: bool
    retryable: bool
    billed: bool = Field(sa_column_kwargs={"server_default": "false"})
    via: str = _text()
    problem: str | None = _text(default=None)
    detail: str | None = _text(default=None)
    model: str | None = _text(default=None)
    """That served it."""
    api_batch_id: str | None = _text(default=None)
    message: str | None = _text(default=None)
    """JSON: the API's Message, untouched."""


class Double(Table, table=True):
    """An answer that was billed for an item that had its outcome already. With the outcomes: the view `bill`."""

    __tablename__ = "double"
    __table_args__ = (
        CheckConstraint("cost_nano >= 0 AND realtime_nano >= 0", name="no_double_costs_less_than_nothing"),
        {"postgresql_partition_by": "RANGE (item_id)"},
    )
    item_id: int = _by_item()
    submission_id: int = _by_item()
    finished_at: datetime = _now()
    cost_nano: int | None = _big(default=None)
    realtime_nano: int | None = _big(default=None)
    input_tokens: int = _none()
    cache_write_5m_tokens: int = _none()
    cache_write_1h_tokens: int = _none()
    cache_read_tokens: int = _none()
    output_tokens: int = _none()
    thinking_tokens: int = _none()
    model: str = _text()


class Spending(Table, table=True):
    """The bill's rows added up as they are written, so that pages needn't read millions of them.

    One for whatever was recorded at once of one lane, tenant, run and model; of doubles, rows of their own.
    """

    __tablename__ = "spending"
    __table_args__ = (Index("spending_by_time", "at"),)
    id: int | None = _id()
    submission_id: int = _big(foreign_key="submission.id", index=True)
    lane_id: int
    tenant_id: int | None = None
    run_id: int | None = None
    model: str = _text(sa_column_kwargs={"server_default": ""})
    """That served them."""
    answers: int
    paid_twice: int
    unpriced: int = _none()
    """Answers of a model without a price: they are in no sum of money."""
    cost_nano: int = _big()
    realtime_nano: int = _big()
    input_tokens: int = _big(sa_column_kwargs={"server_default": "0"})
    cache_write_5m_tokens: int = _big(sa_column_kwargs={"server_default": "0"})
    cache_write_1h_tokens: int = _big(sa_column_kwargs={"server_default": "0"})
    cache_read_tokens: int = _big(sa_column_kwargs={"server_default": "0"})
    output_tokens: int = _big(sa_column_kwargs={"server_default": "0"})
    thinking_tokens: int = _big(sa_column_kwargs={"server_default": "0"})
    thinking_nano: int = _big(sa_column_kwargs={"server_default": "0"})
    """What those cost; part of the cost."""
    at: datetime = _now()


class Budget(Table, table=True):
    """What a lane or a tenant may spend in a day or a month, or a run in all."""

    __tablename__ = "budget"
    __table_args__ = (
        UniqueConstraint("lane_id", "tenant_id", "run_id", "period", postgresql_nulls_not_distinct=True),
        CheckConstraint("num_nonnulls(lane_id, tenant_id, run_id) = 1", name="a_budget_is_of_one_thing"),
        CheckConstraint(
            "CASE WHEN run_id IS NULL THEN period IN ('day', 'month') ELSE period = 'all' END",
            name="only_runs_have_a_budget_for_all_of_it",
        ),
        CheckConstraint("cap_nano >= 0", name="no_budget_is_below_nothing"),
    )
    id: int | None = Field(default=None, primary_key=True)
    lane_id: int | None = Field(default=None, foreign_key="lane.id")
    tenant_id: int | None = Field(default=None, foreign_key="tenant.id")
    run_id: int | None = Field(default=None, foreign_key="run.id")
    period: str = _text()
    """`day` or `month`, by UTC; `all` for a run."""
    cap_nano: int = _big()
    strict: bool
    """It reserves the most that an item may cost, and not what is expected."""


class Booking(Table, table=True):
    """A change of what is reserved and spent of a budget in one period, to be added up; appended, never rewritten.

    So whoever settles waits for nobody, and whoever packs locks the budget and adds up. When a batch is over, its
    bookings are folded into the one row of their budget and period.
    """

    __tablename__ = "booking"
    __table_args__ = (
        Index("booking_by_period", "budget_id", "begins"),
        Index("booking_by_batch", "batch_id"),
        Index(
            "a_period_is_folded_into_one_row",
            "budget_id",
            "begins",
            unique=True,
            postgresql_where=text("batch_id IS NULL"),
        ),
    )
    id: int | None = _id()
    budget_id: int = Field(foreign_key="budget.id", ondelete="CASCADE")
    begins: date
    """The first day of the period in which the batch was packed, whenever its answers come."""
    batch_id: int | None = _big(default=None)
    """Null for batches that are over, and for what was billed before the budget was set."""
    submission_id: int | None = _big(default=None)
    """Of the batch, believed lost: the reservation that is kept should it turn up after all."""
    reserved_nano: int = _big(sa_column_kwargs={"server_default": "0"})
    spent_nano: int = _big(sa_column_kwargs={"server_default": "0"})


class Delivery(Table, table=True):
    """Handing one outcome to one callback, until it is taken or given up."""

    __tablename__ = "delivery"
    __table_args__ = (
        _known_state(DELIVERY),
        # by queue first: one whose product stands still must not be waded through to reach another
        Index("delivery_due", "target_id", "due_at", postgresql_where=text("state = 'due'")),
        # the second half hides it from statements that know their rows' ids: since few are ever being sent, the planner
        # would wade through it instead
        Index("delivery_sending", "due_at", postgresql_where=text("state = 'sending' AND due_at IS NOT NULL")),
        Index("delivery_unanswered", "due_at", postgresql_where=text("state = 'awaiting_ack'")),
        Index("delivery_dead", "item_id", postgresql_where=text("state = 'dead'")),
        {"postgresql_partition_by": "RANGE (item_id)"},
    )
    item_id: int = _by_item()
    lane_id: int
    target_id: int
    state: str = _text()
    size: int = Field(sa_column_kwargs={"server_default": "4000"})
    """About how many bytes its message has."""
    due_at: datetime = _now()
    """While due: not before then. While sending: the deliverer is taken for dead after this. While awaiting_ack: it is
    sent again after this."""
    tries: int = Field(sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    generation: int = Field(sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    """How often an operator had it sent again."""
    error: str | None = _text(default=None)


class Obstacle(Table, table=True):
    """What keeps deliveries from a broker, or from one of its queues; a row only for as long as it is so."""

    __tablename__ = "obstacle"
    broker: str = _text(primary_key=True)
    """As in `delivery`."""
    queue: str = _text(primary_key=True)
    """The queue that is full; '' when it is all of the broker, which doesn't answer."""
    since: datetime = _now()
    seen_at: datetime = _now()
    """When it was last found so."""
    not_before: datetime = _now()
    """Nobody looks again before then."""
    failures: int = Field(sa_column_kwargs={"server_default": "1"})
    """How often it was found so; grows the pause before the next look."""
    why: str = _text()


class Pulse(Table, table=True):
    """When a stage last ran, and since when there is work for it: a standstill is seen, whatever stands still."""

    __tablename__ = "pulse"
    stage: str = _text(primary_key=True)
    ran_at: datetime | None = None
    work_since: datetime | None = None
    """Said by the sweep; none while there is no work for it."""


class Tally(Table, table=True):
    """Items and deliveries by state, as changes to be added up; kept by triggers, so that it can't drift.

    Counting millions of rows for every status page would be the slowest query of all.
    """

    __tablename__ = "tally"
    id: int | None = _id()
    noun: str = _text()
    lane_id: int
    run_id: int | None = None
    headers_id: int | None = None
    state: str = _text()
    n: int = _big()
    bytes: int = _big()
