"""The workers' settings: environment and overnight.toml, checked whole, every fault listed at once."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

from overnight_models.embedded_urls import default_data_dir, read_urls
from overnight_models.errors import BadSettings
from overnight_models.request.request import LATEST_API_VERSION, MAX_BATCH_BYTES, MAX_BATCH_ITEMS
from overnight_models.wire.inbox import NAME
from overnight_models.wire.policy import LanePolicy, Policy, Published
from overnight_models.wire.redis_place import RedisPlace, read_redis_url
from overnight_workers.configuration import sources
from overnight_workers.configuration.broker_settings import Broker, BrokerLimits, brokers_fit
from overnight_workers.configuration.encryption_settings import (
    Encryption,
    LaneEncrypts,
    encryption_fits,
    encryption_variables,
)
from overnight_workers.configuration.kinds import (
    dollars,
    duration,
    existing_file,
    inbox_table,
    one_of,
    optional,
    path_of,
    size,
    text,
    texts,
    uuid,
    whole,
    yes_or_no,
)
from overnight_workers.configuration.lane_keeps import LaneKeeps, keeps_fit
from overnight_workers.configuration.lane_models import LaneModels, models_fit
from overnight_workers.configuration.lane_roads import LaneRoads
from overnight_workers.configuration.link_settings import Links, link_variables, links_fit
from overnight_workers.configuration.operator_settings import AlarmsTold, Privacy, Roles
from overnight_workers.configuration.reading import (
    Faults,
    made_setting,
    read_part,
    read_table,
    secret,
    setting,
)
from overnight_workers.configuration.relay_settings import RelaySettings, relays_fit
from overnight_workers.configuration.urls import postgres_url
from overnight_workers.configuration.webhook_settings import Webhook, variables, webhooks_fit
from overnight_workers.configuration.workspace_settings import Workspace, keys_fit

_TABLES: Final = (
    "workspaces",
    "brokers",
    "own_broker",
    "webhooks",
    "links",
    "relays",
    "encryption",
    "lanes",
    "timing",
    "direct",
    "roles",
    "alarms",
    "privacy",
)
"""Settings that are tables of the file, and JSON in the environment."""


@dataclass(frozen=True, kw_only=True)
class Lane(LaneEncrypts, LaneKeeps, LaneModels, LaneRoads):
    """`[lanes.NAME]`: a named stream of items under one policy."""

    workspace: str = setting(text, "default")
    max_items: int = setting(whole(1, MAX_BATCH_ITEMS), MAX_BATCH_ITEMS)
    """A batch is packed when so many items wait."""
    max_bytes: int = setting(size(1, MAX_BATCH_BYTES), 200_000_000)
    """… or so many bytes of requests."""
    max_wait: float = setting(duration(), 300.0)
    """… or when the oldest has waited so long."""
    max_attempts: int = setting(whole(1, 100), 3)
    """Outcomes of one item that say "try again" before it fails."""
    retry_invalid: int = setting(whole(0, 10), 0)
    """How often an answer that isn't of its schema is asked for again, with the error in the prompt. Each is paid."""
    max_cost_per_trace: int | None = setting(optional(dollars), None)
    """What all items of one `trace_id` may cost together, in dollars; what has no room fails as `over_budget`."""
    caching: Literal["auto", "off"] = setting(one_of("auto", "off"), "auto")
    """Whether prefixes are cached where that pays, by the hit rates that were measured."""
    prime: bool = setting(yes_or_no, False)
    """One item of a new prefix goes first, in a batch of its own; the others when it has ended."""
    callbacks: tuple[str, ...] = setting(texts, ("*",))
    """Celery tasks, and `webhook:NAME`, that outcomes may go to; `*` stands for anything."""
    api_version: Literal["2023-06-01", "2026-10-21"] = setting(one_of("2023-06-01", "2026-10-21"), LATEST_API_VERSION)
    """The anthropic-version header of this lane's batches."""
    check_first: bool = setting(yes_or_no, True)
    """Ask the API about the first requests of each shape (free) before a batch of them is submitted."""
    max_input_tokens: int | None = setting(optional(whole(1)), None)
    """The longest prompt, in tokens as the API counts them (free) before anything is paid; None: it has no limit."""
    when_longer: Literal["refuse", "cut"] = setting(one_of("refuse", "cut"), "refuse")
    """A longer one isn't sent, or the text that it names as `cuttable` is cut from its end until it fits."""
    max_deliveries: int = setting(whole(1), 12)
    """Tries of a callback before its delivery is dead."""
    ack_within: float = setting(duration(0.1), 600.0)
    """How long a callback that asked for it may take to acknowledge, from its queue on, before it is sent again."""
    deliver_for: float = setting(duration(0.1), 259_200.0)
    """How long a delivery waits for a broker that doesn't answer, or has no room, before it is dead."""

    @property
    def counts_first(self) -> bool:
        """Whether some of its items are counted before they may be sent."""
        return self.max_input_tokens is not None or bool(self.models)


@dataclass(frozen=True, kw_only=True)
class Direct:
    """`[direct]`: how each process of the direct worker sends in real time."""

    calls: int = setting(whole(1, 1000), 100)
    """Calls that one process has under way at once; it keeps as many connections."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """`[timing]`: how often, how long, how patient."""

    poll_every: float = setting(duration(0.1), 10.0)
    """How often batches at Anthropic are listed."""
    sweep_every: float = setting(duration(0.1), 2.0)
    """How often the beat rings pack, submit, collect, deliver and rescue."""
    create_timeout: float = setting(duration(0.1), 300.0)
    """From the first byte of a create to its answer. No byte is written later."""
    wire: float = setting(duration(), 30.0)
    """How long written bytes may travel before the API has them."""
    quiet: float = setting(duration(1.0), 300.0)
    """How long after that a batch may take to be listed. Only then is an unclear create believed lost."""
    missing_for: float = setting(duration(0.0, 28 * 86400.0), 7 * 86400.0)
    """How long results that an ended batch should have are waited for; their items fail as `given_up` then."""
    lease: float = setting(duration(0.1), 600.0)
    """After so long without a sign of life, a stage's work is taken from it."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that the workers and the command line are told."""

    database_url: str = secret(postgres_url, "")
    """Postgres; default: the embedded one of the data directory."""
    presence_url: str | None = secret(optional(postgres_url), None)
    """Postgres past the pooler, where processes show that they live; default: database_url."""
    redis_url: str = secret(text, "")
    """Overnight's own Redis; default: the embedded one of the data directory."""
    redis_ca: str = setting(text, "")
    """Certificates (PEM) that it is verified by over TLS; default: those that the machine trusts."""
    redis_master: str = setting(text, "")
    """What the Sentinels of a `sentinel://` call the primary."""
    inbox: str = setting(inbox_table, NAME)
    """The inbox table in a product's own database, as NAME or SCHEMA.NAME."""
    data_dir: Path = made_setting(path_of, default_data_dir)
    """Where the embedded servers live."""
    deployment: UUID | None = setting(optional(uuid), None)
    """The deployment that the ledger must be of (`overnight doctor` shows it): no worker starts on another's."""
    config: Path | None = setting(optional(path_of), None)
    """The overnight.toml; default: the one in the working directory, if there is one."""
    prices: Path | None = setting(optional(existing_file), None)
    """Prices that go over the shipped ones, in the same form."""
    workspaces: Mapping[str, Workspace] = field(default_factory=lambda: {"default": Workspace()})
    brokers: Mapping[str, Broker] = field(default_factory=dict)
    own_broker: BrokerLimits = field(default_factory=BrokerLimits)
    relays: Mapping[str, RelaySettings] = field(default_factory=dict)
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    links: Links = field(default_factory=Links)
    encryption: Mapping[str, Encryption] = field(default_factory=dict)
    lanes: Mapping[str, Lane] = field(default_factory=lambda: {"default": Lane()})
    timing: Timing = Timing()
    direct: Direct = Direct()
    roles: Roles = field(default_factory=Roles)
    alarms: AlarmsTold = field(default_factory=AlarmsTold)
    privacy: Privacy = field(default_factory=Privacy)

    def lane(self, name: str) -> Lane:
        """The policy of a lane. One that the configuration has lost keeps to that of a new lane.

        So what is on its way in it is collected, tried again and delivered as anywhere; only pack leaves its items
        where they are, since it doesn't know where they were to be sent, and an alarm says so.
        """
        return self.lanes.get(name) or Lane()

    @property
    def redis_place(self) -> RedisPlace:
        """Where Overnight's own Redis is. Raises BadSettings, also when nobody said it."""
        if not self.redis_url:
            raise BadSettings([self._not_said("redis_url")])
        return read_redis_url(self.redis_url, ca_file=self.redis_ca, master_name=self.redis_master)

    @property
    def policy(self) -> Policy:
        """What products are told."""
        from overnight_models.money.prices import load

        lanes = {
            name: LanePolicy(
                lane.api_version,
                int(lane.max_bytes),
                lane.callbacks,
                lane.unknown_price,
                tuple(model.model for model in lane.models),
                lane.max_wait,
            )
            for name, lane in self.lanes.items()
        }
        models = load(self.prices).models
        aliases = [alias for model in models.values() for alias in model.aliases]
        return Policy(lanes, tuple(self.brokers), (*models, *aliases), webhooks=tuple(self.webhooks))

    def published(self, at: datetime) -> Published:
        """Whose word the policy is: this host's, by its overnight.toml."""
        path = sources.config_path()
        return Published(socket.gethostname(), str(path.absolute()) if path.exists() else None, at.isoformat())

    def require_urls(self, *names: str) -> None:
        """Raise BadSettings when it isn't known where Postgres and Redis are, or which of the two is named."""
        if faults := [
            self._not_said(name) for name in names or ("database_url", "redis_url") if not getattr(self, name)
        ]:
            raise BadSettings(faults)

    def _not_said(self, name: str) -> str:
        where = f"no embedded server is known in {self.data_dir}"
        return f"OVERNIGHT_{name.upper()} isn't set and {where}: set it, or start `overnight up`"


@cache
def settings() -> Settings:
    """The settings of this process, read once. Raises BadSettings with every fault."""
    return read_settings()


def read_settings() -> Settings:
    """The settings, read anew. Raises BadSettings with every fault."""
    names = tuple(field.name for field in fields(Settings) if field.name not in _TABLES)
    given, faults = sources.given(names, _TABLES, _variables)
    settings = read_part(Settings, given, (), faults, _TABLES)
    lanes = read_table(Lane, given.get("lanes", {}), "lanes", faults)
    workspaces = read_table(Workspace, given.get("workspaces", {}), "workspaces", faults)
    urls = read_urls(settings.data_dir)
    settings = replace(
        settings,
        database_url=settings.database_url or urls.get("database_url", ""),
        redis_url=settings.redis_url or urls.get("redis_url", ""),
        workspaces={"default": Workspace()} | workspaces,
        lanes={"default": Lane()} | lanes,
        brokers=read_table(Broker, given.get("brokers", {}), "brokers", faults),
        own_broker=read_part(BrokerLimits, given.get("own_broker", {}), ("own_broker",), faults),
        relays=read_table(RelaySettings, given.get("relays", {}), "relays", faults),
        webhooks=read_table(Webhook, given.get("webhooks", {}), "webhooks", faults),
        links=read_part(Links, given.get("links", {}), ("links",), faults),
        encryption=read_table(Encryption, given.get("encryption", {}), "encryption", faults),
        timing=read_part(Timing, given.get("timing", {}), ("timing",), faults),
        direct=read_part(Direct, given.get("direct", {}), ("direct",), faults),
        roles=read_part(Roles, given.get("roles", {}), ("roles",), faults),
        alarms=read_part(AlarmsTold, given.get("alarms", {}), ("alarms",), faults),
        privacy=read_part(Privacy, given.get("privacy", {}), ("privacy",), faults),
    )
    for check in (_lanes_fit, _places_fit, _times_fit):
        check(settings, faults)
    keys_fit(settings.workspaces, faults)
    brokers_fit(settings.brokers, faults)
    relays_fit(settings.relays, faults)
    models_fit(settings.lanes, settings.prices, faults)
    keeps_fit(settings.lanes, faults)
    encryption_fits(settings.lanes, settings.encryption, faults)
    webhooks_fit(settings.webhooks, faults)
    links_fit(settings.links, faults)
    if settings.alarms.webhook and settings.alarms.webhook not in settings.webhooks and faults.is_right("webhooks"):
        faults.add(("alarms", "webhook"), f"there is no [webhooks.{settings.alarms.webhook}]")
    if faults.said:
        raise BadSettings(faults.said)
    return settings


def _variables(values: Mapping[str, object]) -> list[str]:
    """The variables that values name, where they hold secrets."""
    of_links = link_variables(values.get("links"))
    return [*variables(values.get("webhooks")), *of_links, *encryption_variables(values.get("encryption"))]


def _lanes_fit(settings: Settings, faults: Faults) -> None:
    for name, lane in settings.lanes.items():
        if not faults.is_right("lanes", name, "workspace") or not faults.is_right("workspaces"):
            continue
        workspace = settings.workspaces.get(lane.workspace)
        if workspace is None:
            faults.add(("lanes", name, "workspace"), f"there is no [workspaces.{lane.workspace}]")
        elif (
            lane.max_items > workspace.queue_limit
            and faults.is_right("lanes", name, "max_items")
            and faults.is_right("workspaces", lane.workspace, "queue_limit")
        ):
            faults.add(
                ("lanes", name, "max_items"),
                f"{lane.max_items:,} is more than queue_limit of [workspaces.{lane.workspace}]"
                f" ({workspace.queue_limit:,}): such a batch could never be sent",
            )
        at = ("lanes", name, "min_items")
        if faults.is_right(*at) and lane.min_items > 1:
            if lane.min_items > lane.max_items:
                faults.add(at, f"{lane.min_items:,} is more than max_items ({lane.max_items:,})")
            elif lane.deadline is None and faults.is_right("lanes", name, "deadline"):
                faults.add(at, "fewer would wait for ever: set a `deadline` of the lane too")


def _places_fit(settings: Settings, faults: Faults) -> None:
    """The URLs of Redis servers, with what belongs to each."""
    places: list[tuple[tuple[str, ...], Settings | Broker]] = [(("redis_url",), settings)] if settings.redis_url else []
    here = {name: broker for name, broker in settings.brokers.items() if not broker.is_elsewhere}
    places += [(("brokers", name, "url"), broker) for name, broker in here.items() if broker.is_redis]
    for at, whose in places:
        if faults.is_right(*at):
            try:
                _ = whose.redis_place
            except BadSettings as error:
                for fault in error.faults:
                    faults.add(at, fault)


def _times_fit(settings: Settings, faults: Faults) -> None:
    right = faults.is_right("timing", "lease") and faults.is_right("timing", "create_timeout")
    if right and settings.timing.lease <= settings.timing.create_timeout:
        faults.add(("timing", "lease"), "it must be longer than create_timeout: a submitter would be taken for dead")
