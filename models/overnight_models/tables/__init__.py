"""The tables. What must never be true is a constraint here, and its name is the rule.

State is narrow, bodies are wide: an item's row is small and is updated as seldom as possible; its request and
its outcome are rows of their own, written once by COPY and never rewritten. Big tables are range-partitioned
by the item's id, so that retention drops partitions; keys live apart, because a unique key can't span
partitions. Big tables have no foreign keys: two of them triple the cost of an insert.
Times are the database's. Money is whole nano-dollars.
"""

from __future__ import annotations

from overnight_models.tables.actions import Action
from overnight_models.tables.batches import Batch, Caching, Primer, Sighting, Submission
from overnight_models.tables.catalogs import (
    Catalog,
    CatalogMemory,
    CatalogPassedOver,
    CatalogPlanned,
    CatalogRecipe,
    CatalogReport,
    CatalogRun,
    CatalogSchedule,
    CatalogUnsent,
)
from overnight_models.tables.columns import Table
from overnight_models.tables.deployment import Counter, Deployment, Failure, Lane, Obstacle, Pulse, Workspace
from overnight_models.tables.direct import DirectCall, DirectClaim, DirectPause, MaybeBilled
from overnight_models.tables.items import (
    Follower,
    Inbox,
    Item,
    ItemKey,
    Recall,
    Redo,
    Request,
    RequestGroup,
    RunBlock,
    Tally,
    UnfinishedSum,
    Unmeasured,
)
from overnight_models.tables.money import Booking, Budget, DeadlineCount, Plan, Spending
from overnight_models.tables.names import Callback, Headers, Model, OutputSchema, Prefix, Run, Shape, Target, Tenant
from overnight_models.tables.outcomes import AnswerGroup, DamagedGroup, Delivery, Double, HandOver, Outcome
from overnight_models.tables.relays import Relay
from overnight_models.tables.retention import Kept

__all__ = [
    "Action",
    "AnswerGroup",
    "Batch",
    "Booking",
    "Budget",
    "Caching",
    "Callback",
    "Catalog",
    "CatalogMemory",
    "CatalogPassedOver",
    "CatalogPlanned",
    "CatalogRecipe",
    "CatalogReport",
    "CatalogRun",
    "CatalogSchedule",
    "CatalogUnsent",
    "Counter",
    "DamagedGroup",
    "DeadlineCount",
    "Delivery",
    "Deployment",
    "DirectCall",
    "DirectClaim",
    "DirectPause",
    "Double",
    "Failure",
    "Follower",
    "HandOver",
    "Headers",
    "Inbox",
    "Item",
    "ItemKey",
    "Kept",
    "Lane",
    "MaybeBilled",
    "Model",
    "Obstacle",
    "Outcome",
    "OutputSchema",
    "Plan",
    "Prefix",
    "Primer",
    "Pulse",
    "Recall",
    "Redo",
    "Relay",
    "Request",
    "RequestGroup",
    "Run",
    "RunBlock",
    "Shape",
    "Sighting",
    "Spending",
    "Submission",
    "Table",
    "Tally",
    "Target",
    "Tenant",
    "UnfinishedSum",
    "Unmeasured",
    "Workspace",
]
