"""`[links]`: where answers that are too large for a webhook can be read, and what signs the links to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from overnight_models.errors import BadSettings
from overnight_models.wire.signature import read_secrets
from overnight_workers.configuration.key_sources import KeySource, key_source
from overnight_workers.configuration.kinds import duration, optional
from overnight_workers.configuration.reading import Faults, secret, setting
from overnight_workers.configuration.url_sources import url_at, url_or_source
from overnight_workers.configuration.webhook_settings import webhook_url

_SHORTEST_S: Final = 60.0
_LONGEST_S: Final = 7 * 86400.0


def links_url(given: object) -> str:
    """What links begin with; nothing where there are none."""
    url = given.strip() if isinstance(given, str) else given
    if url == "":
        return ""
    try:
        url = webhook_url(url)
    except ValueError:
        raise ValueError("links begin with it, such as https://overnight.example") from None
    if "?" in url:
        raise ValueError("links begin with it, so it has no `?`, such as https://overnight.example")
    return url.rstrip("/")


@dataclass(frozen=True, kw_only=True)
class Links:
    """`[links]`: answers that are too large for a webhook, served by `overnight links`."""

    url: str = secret(url_or_source(links_url), "")
    """What links begin with, as products reach it; or where that is: `env:VARIABLE`, `file:PATH`, `command:PROGRAM
    ARGUMENTS`. Empty: no links are made."""
    secrets: KeySource | None = secret(optional(key_source), None)
    """Where the secrets are: `env:VARIABLE`, `file:PATH`, or `command:PROGRAM ARGUMENTS`, which prints them. `whsec_`
    and base64, as of webhooks, white space between them: the first signs, by all of them links are good."""
    good_for: float = setting(duration(_SHORTEST_S, _LONGEST_S), 3600.0)
    """How long a link is good, from when its webhook is sent; each time it is sent it has a new one."""

    @property
    def base(self) -> str:
        """What links begin with, as it is now; empty: none are made. Raises BadSettings."""
        return url_at(self.url, links_url)


def secrets_fault(written: str) -> str | None:
    """What is wrong with secrets as a source has them, without a part of them."""
    try:
        read_secrets(written)
    except BadSettings as error:
        return "; ".join(error.faults)
    return None


def link_variables(given: object) -> list[str]:
    """The variables that hold a URL or secrets, in a table `[links]` that nobody has checked."""
    places = [given.get(name) for name in ("url", "secrets")] if isinstance(given, Mapping) else []
    return [
        place.partition(":")[2].strip()
        for place in places
        if isinstance(place, str) and place.strip().startswith("env:")
    ]


def links_fit(links: Links, faults: Faults) -> None:
    """Both or neither; what isn't there is for who makes links and who serves them: others needn't have it."""
    if not faults.is_right("links"):
        return
    if links.url and links.secrets is None and faults.is_right("links", "secrets"):
        faults.add(("links", "secrets"), "what signs the links? Such as env:OVERNIGHT_LINK_SECRET")
    if links.secrets is not None and not links.url and faults.is_right("links", "url"):
        faults.add(("links", "url"), "what do links begin with? Such as https://overnight.example")
