"""The producer's settings: where Overnight's Redis is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from overnight_models.embedded_urls import default_data_dir, expanded, read_urls
from overnight_models.errors import BadSettings
from overnight_models.wire.inbox import NAME, InboxTable
from overnight_models.wire.redis_place import RedisPlace, read_redis_url

_PREFIX: Final = "OVERNIGHT_"


def _variable(name: str) -> str:
    """The value of OVERNIGHT_`name`, in whatever case its name is written; empty: it isn't there."""
    whole_name = _PREFIX + name
    value = os.environ.get(whole_name)
    if value is not None:
        return value
    return next((value for written, value in os.environ.items() if written.upper() == whole_name), "")


@dataclass(frozen=True)
class ProducerSettings:
    """What a product service is told, by its environment. Plain, since every product imports it at its start."""

    redis_url: str = field(default_factory=lambda: _variable("REDIS_URL"), repr=False)
    """Overnight's Redis; default: the embedded one of the data directory."""
    redis_ca: str = field(default_factory=lambda: _variable("REDIS_CA"))
    """Certificates (PEM) that it is verified by over TLS; default: those that the machine trusts."""
    redis_master: str = field(default_factory=lambda: _variable("REDIS_MASTER"))
    """What the Sentinels of a `sentinel://` call the primary."""
    inbox: str = field(default_factory=lambda: _variable("INBOX") or NAME)
    """The inbox table of the product's database, as NAME or SCHEMA.NAME."""
    data_dir: Path = field(default_factory=lambda: Path(_variable("DATA_DIR") or default_data_dir()))

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
