"""The producer's settings: where Overnight's Redis is."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from overnight_models.embedded_urls import default_data_dir, expanded, read_urls
from overnight_models.errors import BadSettings
from overnight_models.wire.inbox import NAME, InboxTable
from overnight_models.wire.redis_place import RedisPlace, read_redis_url


class ProducerSettings(BaseSettings):
    """What a product service is told."""

    model_config = SettingsConfigDict(env_prefix="OVERNIGHT_", frozen=True, extra="ignore")

    redis_url: str = Field(default="", repr=False)
    """Overnight's Redis; default: the embedded one of the data directory."""
    redis_ca: str = ""
    """Certificates (PEM) that it is verified by over TLS; default: those that the machine trusts."""
    redis_master: str = ""
    """What the Sentinels of a `sentinel://` call the primary."""
    inbox: str = NAME
    """The inbox table of the product's database, as NAME or SCHEMA.NAME."""
    data_dir: Path = Field(default_factory=default_data_dir)

    def url(self) -> str:
        """Where Redis is. Raises BadSettings when that isn't known."""
        url = self.redis_url or read_urls(expanded(self.data_dir)).get("redis_url", "")
        if not url:
            raise BadSettings(
                [f"where is Overnight's Redis? Set OVERNIGHT_REDIS_URL, or start `overnight up` (no {self.data_dir})"]
            )
        return url

    def inbox_table(self, given: str | None) -> InboxTable:
        """The inbox table. given: what goes over the setting. Raises BadSettings for what can't be a table's name."""
        try:
            return InboxTable.read(self.inbox if given is None else given)
        except ValueError as error:
            raise BadSettings([f"OVERNIGHT_INBOX: {error}" if given is None else f"inbox: {error}"]) from error

    def place(self, given_url: str | None = None) -> tuple[str, RedisPlace]:
        """Where Redis is, as a URL and read. Raises BadSettings when that isn't known, or can't be.

        given_url: by a caller, who goes before the settings.
        """
        url = given_url or self.url()
        return url, read_redis_url(url, ca_file=self.redis_ca, master_name=self.redis_master)
