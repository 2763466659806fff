"""The workers' settings: environment and overnight.toml, checked whole, every fault listed at once."""

from __future__ import annotations

import os
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from overnight_models.embedded_urls import default_data_dir, expanded, read_urls
from overnight_models.errors import BadSettings
from overnight_models.ledger.database_url import read_database_url
from overnight_models.money.rate_limits import COUNTS_PER_MINUTE, Tier
from overnight_models.quantities import Duration, Size
from overnight_models.request.request import LATEST_API_VERSION, MAX_BATCH_BYTES, MAX_BATCH_ITEMS
from overnight_models.wire.policy import LanePolicy, Policy
from overnight_models.wire.redis_place import RedisPlace, is_redis, read_redis_url

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Workspace(_Part):
    """`[workspaces.NAME]`: one API key and what hangs on it."""

    api_key_env: str = "ANTHROPIC_API_KEY"
    """The environment variable that holds the key; keys don't belong in files."""
    base_url: str | None = None
    """Where the API answers; default: ANTHROPIC_BASE_URL, else Anthropic's own."""
    queue_limit: int = Field(default=200_000, ge=1)
    """Requests that may be in the API's queue at once. By the account's tier: 200,000, 300,000 or 500,000."""
    tier: Tier = "start"
    """The account's tier: what it may do in a minute in real time, and how many tokens it may have counted."""
    counts_per_minute: int | None = Field(default=None, ge=1)
    """Calls of count_tokens, where they are other than the tier's 2,000, 4,000 or 8,000."""

    @field_validator("api_key_env")
    @classmethod
    def _is_a_name(cls, given: str) -> str:
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", given) is None:
            raise ValueError("it names the environment variable that holds the key, and isn't the key itself")
        return given

    def api_key(self) -> str | None:
        """The key, or None when its variable isn't set."""
        return os.environ.get(self.api_key_env) or None

    @property
    def counting_rate(self) -> int:
        """Calls of count_tokens a minute."""
        return self.counts_per_minute or COUNTS_PER_MINUTE[self.tier]


class BrokerLimits(_Part):
    """`[own_broker]`: how much callbacks may put into Overnight's own Redis."""

    max_queue: int = Field(default=100_000, ge=1)
    """Messages in a callback's queue above which deliveries wait."""
    max_memory: Size | None = Field(default=None, ge=10_000_000)
    """Bytes that a Redis may use, whoever uses them, before deliveries wait; default: nine tenths of its maxmemory."""


class Broker(BrokerLimits):
    """`[brokers.NAME]`: a Redis (or other Celery broker) that callbacks go through."""

    url: SecretStr
    key_prefix: str = ""
    """What the product's Celery puts before every key of its Redis (`global_keyprefix`)."""
    ca_file: str = ""
    """Certificates (PEM) that a Redis over TLS is verified by; default: those that the machine trusts."""
    master_name: str = ""
    """What the Sentinels of a `sentinel://` call the primary."""

    @property
    def is_redis(self) -> bool:
        """Whether it is a Redis at that URL."""
        return is_redis(self.url.get_secret_value())

    @property
    def redis_place(self) -> RedisPlace:
        """Where that Redis is. Raises BadSettings."""
        return read_redis_url(self.url.get_secret_value(), ca_file=self.ca_file, master_name=self.master_name)


class Lane(_Part):
    """`[lanes.NAME]`: a named stream of items under one policy."""

    workspace: str = "default"
    road: Literal["batch", "direct", "by_deadline"] = "batch"
    """In batches at half price, each item in real time at the full price, or as each item's deadline asks for."""
    max_maybe_billed: int = Field(default=1, ge=0, le=100)
    """How often an item is sent again in real time after a call that may have been billed and brought no answer."""
    max_items: int = Field(default=MAX_BATCH_ITEMS, ge=1, le=MAX_BATCH_ITEMS)
    """A batch is packed when so many items wait."""
    max_bytes: Size = Field(default=200_000_000, ge=1, le=MAX_BATCH_BYTES, validate_default=False)  # type: ignore[assignment]
    """… or so many bytes of requests."""
    max_wait: Duration = Field(default=300.0, ge=0)
    """… or when the oldest has waited so long."""
    max_attempts: int = Field(default=3, ge=1, le=100)
    """Outcomes of one item that say "try again" before it fails."""
    retry_invalid: int = Field(default=0, ge=0, le=10)
    """How often an answer that isn't of its schema is asked for again, with the error in the prompt. Each is paid."""
    caching: Literal["auto", "off"] = "auto"
    """Whether prefixes are cached where that pays, by the hit rates that were measured."""
    prime: bool = False
    """One item of a new prefix goes first, in a batch of its own; the others when it has ended."""
    callbacks: tuple[str, ...] = ("*",)
    """Celery tasks that outcomes may go to; `*` stands for anything."""
    api_version: Literal["2023-06-01", "2026-10-21"] = LATEST_API_VERSION
    """The anthropic-version header of this lane's batches."""
    check_first: bool = True
    """Ask the API about the first requests of each shape (free) before a batch of them is submitted."""
    max_input_tokens: int | None = Field(default=None, ge=1)
    """The longest prompt, in tokens as the API counts them (free) before anything is paid; None: it has no limit."""
    when_longer: Literal["refuse", "cut"] = "refuse"
    """A longer one isn't sent, or the text that it names as `cuttable` is cut from its end until it fits."""
    unknown_price: Literal["refuse", "accept"] = "refuse"
    """What becomes of an item whose model has no price: accepted, what it costs is unknown, and in no sum."""
    max_deliveries: int = Field(default=12, ge=1)
    """Tries of a callback before its delivery is dead."""
    ack_within: Duration = Field(default=600.0, gt=0)
    """How long a callback that asked for it may take to acknowledge, from its queue on, before it is sent again."""
    deliver_for: Duration = Field(default=259_200.0, gt=0)
    """How long a delivery waits for a broker that doesn't answer, or has no room, before it is dead."""


class Timing(_Part):
    """`[timing]`: how often, how long, how patient."""

    poll_every: Duration = Field(default=10.0, gt=0)
    """How often batches at Anthropic are listed."""
    sweep_every: Duration = Field(default=2.0, gt=0)
    """How often the beat rings pack, submit, collect, deliver and rescue."""
    create_timeout: Duration = Field(default=300.0, gt=0)
    """From the first byte of a create to its answer. No byte is written later."""
    wire: Duration = Field(default=30.0, ge=0)
    """How long written bytes may travel before the API has them."""
    quiet: Duration = Field(default=300.0, ge=0)
    """How long after that a batch may take to be listed. Only then is an unclear create believed lost."""
    missing_for: Duration = Field(default=7 * 86400.0, ge=0, le=28 * 86400.0)
    """How long results that an ended batch should have are waited for; their items fail as `given_up` then."""
    lease: Duration = Field(default=600.0, gt=0)
    """After so long without a sign of life, a stage's work is taken from it."""


class Settings(BaseSettings):
    """Everything that the workers and the command line are told."""

    model_config = SettingsConfigDict(env_prefix="OVERNIGHT_", frozen=True, extra="forbid")

    database_url: str = ""
    """Postgres; default: the embedded one of the data directory."""
    presence_url: str | None = None
    """Postgres past the pooler, where processes show that they live; default: database_url."""
    redis_url: str = ""
    """Overnight's own Redis; default: the embedded one of the data directory."""
    redis_ca: str = ""
    """Certificates (PEM) that it is verified by over TLS; default: those that the machine trusts."""
    redis_master: str = ""
    """What the Sentinels of a `sentinel://` call the primary."""
    data_dir: Path = Field(default_factory=default_data_dir)
    """Where the embedded servers live."""
    deployment: UUID | None = None
    """The deployment that the ledger must be of (`overnight doctor` shows it): no worker starts on another's."""
    config: Path | None = None
    """The overnight.toml; default: the one in the working directory, if there is one."""
    prices: Path | None = None
    """Prices that go over the shipped ones, in the same form."""
    workspaces: dict[Name, Workspace] = Field(default_factory=dict)
    brokers: dict[Name, Broker] = Field(default_factory=dict)
    own_broker: BrokerLimits = BrokerLimits()
    lanes: dict[Name, Lane] = Field(default_factory=dict)
    timing: Timing = Timing()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes over the file."""
        return (init_settings, env_settings, InitSettingsSource(settings_cls, given_in_file()))

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: dict[str, Any]) -> dict[str, Any]:
        filled = dict(given)
        data_dir = expanded(filled.get("data_dir") or default_data_dir())
        urls = read_urls(data_dir)
        for url in ("database_url", "redis_url"):
            filled[url] = filled.get(url) or urls.get(url, "")
        filled["data_dir"] = data_dir
        for part, fallback in (("workspaces", Workspace()), ("lanes", Lane())):
            filled[part] = {"default": fallback} | dict(filled.get(part) or {})
        return filled

    def lane(self, name: str) -> Lane:
        """The policy of a lane. One that the configuration has lost keeps to that of a new lane.

        So what is on its way in it is collected, tried again and delivered as anywhere; only pack leaves its items
        where they are, since it doesn't know where they were to be sent, and an alarm says so.
        """
        return self.lanes.get(name) or Lane()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = [
            f"[lanes.{name}] workspace: there is no [workspaces.{lane.workspace}]"
            for name, lane in self.lanes.items()
            if lane.workspace not in self.workspaces
        ]
        faults += [
            f"[lanes.{name}] max_items: {lane.max_items:,} is more than queue_limit of [workspaces.{lane.workspace}]"
            f" ({self.workspaces[lane.workspace].queue_limit:,}): such a batch could never be sent"
            for name, lane in self.lanes.items()
            if lane.workspace in self.workspaces and lane.max_items > self.workspaces[lane.workspace].queue_limit
        ]
        faults += [
            f"[brokers.{name}] max_memory: only a Redis (redis://, rediss://, …) says how much it uses"
            for name, broker in self.brokers.items()
            if broker.max_memory is not None and not broker.is_redis
        ]
        faults += [
            f"[brokers.{name}] key_prefix: only a Redis (redis://, rediss://, …) has keys to put it before"
            for name, broker in self.brokers.items()
            if broker.key_prefix and not broker.is_redis
        ]
        faults += [
            f"[brokers.{name}] {option}: only for a Redis (redis://, rediss://, …)"
            for name, broker in self.brokers.items()
            for option in ("ca_file", "master_name")
            if getattr(broker, option) and not broker.is_redis
        ]
        faults += self._faults_of_places()
        timing = self.timing
        if timing.lease <= timing.create_timeout:
            faults.append("[timing] lease must be longer than create_timeout: a submitter would be taken for dead")
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _faults_of_places(self) -> list[str]:
        """What is wrong with the URLs of servers."""
        faults = []
        databases = {"OVERNIGHT_DATABASE_URL": self.database_url, "OVERNIGHT_PRESENCE_URL": self.presence_url}
        for told_in, url in databases.items():
            try:
                _ = read_database_url(url) if url else None
            except BadSettings as error:
                faults += [f"{told_in}: {fault}" for fault in error.faults]
        places: list[tuple[str, Settings | Broker]] = [("OVERNIGHT_REDIS_URL", self)] if self.redis_url else []
        places += [(f"[brokers.{name}] url", broker) for name, broker in self.brokers.items() if broker.is_redis]
        for told_in, whose in places:
            try:
                _ = whose.redis_place
            except BadSettings as error:
                faults += [f"{told_in}: {fault}" for fault in error.faults]
        return faults

    @property
    def redis_place(self) -> RedisPlace:
        """Where Overnight's own Redis is. Raises BadSettings."""
        return read_redis_url(self.redis_url, ca_file=self.redis_ca, master_name=self.redis_master)

    @property
    def policy(self) -> Policy:
        """What products are told."""
        from overnight_models.money.prices import load

        lanes = {
            name: LanePolicy(lane.api_version, int(lane.max_bytes), lane.callbacks, lane.unknown_price)
            for name, lane in self.lanes.items()
        }
        models = load(self.prices).models
        aliases = [alias for model in models.values() for alias in model.aliases]
        return Policy(lanes, tuple(self.brokers), (*models, *aliases))

    def require_urls(self) -> None:
        """Raise BadSettings when it isn't known where Postgres and Redis are."""
        faults = [
            f"OVERNIGHT_{name.upper()} isn't set and no embedded server is known in {self.data_dir}:"
            " set it, or start `overnight up`"
            for name in ("database_url", "redis_url")
            if not getattr(self, name)
        ]
        if faults:
            raise BadSettings(faults)


def without_password(url: str) -> str:
    """A server's URL as it may be shown."""
    return ";".join(re.sub(r"(://[^:/?#]*:)(.*)(@[^@]*)$", r"\1***\3", one) for one in re.split(r";(?=\w+://)", url))


def given_in_file() -> dict[str, object]:
    """What overnight.toml says, unchecked; empty where there is none. Raises BadSettings when it can't be read."""
    path = Path(os.environ.get("OVERNIGHT_CONFIG") or "overnight.toml")
    if not path.exists():
        if os.environ.get("OVERNIGHT_CONFIG"):
            raise BadSettings([f"OVERNIGHT_CONFIG names {path}, which doesn't exist"])
        return {}
    try:
        found = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadSettings([f"{path}: {error}"]) from error
    return found


@cache
def settings() -> Settings:
    """The settings of this process, read once. Raises BadSettings with every fault."""
    try:
        return Settings()
    except ValidationError as error:
        raise BadSettings([_fault(dict(detail)) for detail in error.errors()]) from error


def _fault(detail: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in detail["loc"])
    said = str(detail["msg"]).removeprefix("Value error, ")
    return f"{where}: {said}" if where else said
