"""`[webhooks.NAME]`: an endpoint of a product that outcomes are sent to, what signs them, and how they are sent."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from overnight_models.errors import BadSettings
from overnight_models.host_name import is_host
from overnight_models.wire.signature import Secret, read_secrets
from overnight_workers.configuration.addresses import Network, may_be_allowed
from overnight_workers.configuration.kinds import duration, kind_of, optional, shown, text, texts, whole
from overnight_workers.configuration.reading import Faults, read_part, required_secret, secret, setting
from overnight_workers.configuration.target_pace import TargetPace

_PLACE: Final = re.compile(r"env:(?P<variable>[A-Za-z_][A-Za-z0-9_]*)|file:(?P<path>.+)", re.DOTALL)
_MOST_BYTES: Final = 10_000
"""Of a file with a secret."""


def webhook_url(given: object) -> str:
    """Where a webhook is sent. Nothing of it is shown: it may hold a token."""
    url = text(given).strip()
    parts = _parts(url)
    if parts is None or not is_host(parts.hostname or "") or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("it is where a product takes webhooks, such as https://shop.example/overnight, in ASCII")
    if parts.username is not None or parts.fragment:
        raise ValueError("it has a user, a password or a fragment, which aren't sent: the signature says who it is")
    return url


def proxy_url(given: object) -> str:
    """A proxy for HTTP, or nothing."""
    url = text(given).strip()
    if url and _parts(url) is None:
        raise ValueError("it is an HTTP proxy, such as http://proxy.example:3128")
    return url


def _parts(url: str) -> SplitResult | None:
    """The parts of a URL for HTTP; None where it is none."""
    try:
        parts = urlsplit(url)
        whole_ = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        return None
    return parts if whole_ else None


def secret_places(given: object) -> tuple[str, ...]:
    """Where secrets are: `env:VARIABLE` or `file:PATH`. What was given instead isn't shown: it may be a secret."""
    places = texts(given, "env:OVERNIGHT_SHOP_SECRET")
    if not places:
        raise ValueError('it says where a secret is, such as ["env:OVERNIGHT_SHOP_SECRET"]')
    if not all(_PLACE.fullmatch(place) for place in places):
        raise ValueError('each says where a secret is, "env:VARIABLE" or "file:PATH", and isn\'t the secret itself')
    return places


def networks(given: object) -> tuple[Network, ...]:
    """Networks, as `10.20.0.0/16`, that webhooks may go to although they are private."""
    allowed = []
    for word in texts(given, "10.20.0.0/16"):
        try:
            network = ipaddress.ip_network(word)
        except ValueError:
            raise ValueError(f"it is a list of networks, such as 10.20.0.0/16, and not {shown(word)}") from None
        if not may_be_allowed(network):
            raise ValueError(f"{network} can't be allowed: metadata of a cloud, multicast, or all there is")
        allowed.append(network)
    return tuple(allowed)


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """`group` of a webhook: outcomes that are sent in one request."""

    items: int = setting(whole(1, 1000), 1)
    """So many at most; when so many wait they are sent."""
    within: float = setting(duration(0.0, 3600.0), 0.0)
    """… or when the oldest has waited so long."""


def grouping(given: object) -> Grouping:
    """How outcomes are grouped."""
    if not isinstance(given, Mapping):
        raise ValueError(f'it is a table, such as {{ items = 500, within = "30s" }}, and not {kind_of(given)}')
    faults = Faults()
    read = read_part(Grouping, given, ("group",), faults)
    if faults.said:
        raise ValueError("; ".join(faults.said))
    return read


@dataclass(frozen=True, kw_only=True)
class Webhook(TargetPace):
    """`[webhooks.NAME]`: an endpoint that callbacks may name."""

    url: str = required_secret(webhook_url)
    secrets: tuple[str, ...] = required_secret(secret_places)
    """Where its secrets are: `env:VARIABLE` or `file:PATH`. Each request is signed by all of them."""
    group: Grouping = setting(grouping, Grouping())
    """Outcomes that go in one request; default: each by itself."""
    concurrency: int = setting(whole(1, 100), 4)
    """Requests under way at once, of all workers together: one of them sends to it at a time."""
    connect_timeout: float = setting(duration(0.1, 60.0), 5.0)
    """For a connection, TLS included."""
    timeout: float = setting(duration(0.1, 300.0), 30.0)
    """For the whole answer."""
    deliver_for: float | None = setting(optional(duration(0.1)), None)
    """How long a delivery is tried before it is dead; None: the lane's `deliver_for`."""
    allow_private: tuple[Network, ...] = setting(networks, ())
    """Private networks that its name may lead to."""
    proxy: str = secret(proxy_url, "")
    """The proxy that its requests go through; it resolves the name, so the addresses aren't checked here."""
    ca_file: str = setting(text, "")
    """Certificates (PEM) that it is verified by beside those that the machine trusts."""

    @property
    def is_plain(self) -> bool:
        """Whether everybody on the way can read it."""
        return urlsplit(self.url).scheme == "http"

    @property
    def place(self) -> str:
        """Scheme and host: what may be shown of its URL."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def keys(self) -> tuple[Secret, ...]:
        """Its secrets, read anew: whoever replaces one needs no restart. Raises BadSettings, without a secret in it."""
        faults: list[str] = []
        keys: list[Secret] = []
        for place in self.secrets:
            try:
                keys += read_secrets(_read(place))
            except BadSettings as error:
                faults += [f"{place}: {fault}" for fault in error.faults]
        if faults:
            raise BadSettings(faults)
        return tuple(keys)


def variables(given: object) -> list[str]:
    """The variables that hold secrets of webhooks, in a table `[webhooks]` that nobody has checked."""
    named = []
    for webhook in given.values() if isinstance(given, Mapping) else ():
        places = webhook.get("secrets") if isinstance(webhook, Mapping) else None
        for place in places if isinstance(places, list | tuple) else ():
            match = _PLACE.fullmatch(place) if isinstance(place, str) else None
            if match is not None and match["variable"]:
                named.append(match["variable"])
    return named


def without_secrets(webhooks: Mapping[str, Webhook]) -> list[str]:
    """Of each webhook that can't be signed by what is here: a line that says why, without a secret in it."""
    lines = []
    for name, webhook in webhooks.items():
        try:
            webhook.keys()
        except BadSettings as error:
            lines.append(f"[webhooks.{name}] sends nothing, its outcomes wait: {'; '.join(error.faults)}")
    return lines


def webhooks_fit(webhooks: Mapping[str, Webhook], faults: Faults) -> None:
    """Each by itself; a secret that isn't there is for the worker that sends: others needn't have it."""
    for name, webhook in webhooks.items():
        at = ("webhooks", name)
        if not faults.is_right(*at, "url") or not faults.is_right(*at, "secrets"):
            continue
        if webhook.is_plain and not webhook.allow_private and faults.is_right(*at, "allow_private"):
            faults.add((*at, "url"), "it begins with https://; http:// is only for networks in its `allow_private`")
        if webhook.ca_file and not Path(webhook.ca_file).is_file():
            faults.add((*at, "ca_file"), f"there is no file {webhook.ca_file}")
        for place in webhook.secrets:
            variable = place.removeprefix("env:") if place.startswith("env:") else ""
            if os.environ.get(variable):
                try:
                    read_secrets(os.environ[variable])
                except BadSettings as error:
                    faults.add((*at, "secrets"), f"{place}: {error.faults[0]}")


def _read(place: str) -> str:
    """A secret as it is written there. Raises BadSettings."""
    kind, _, name = place.partition(":")
    if kind == "env":
        if not os.environ.get(name, "").strip():
            raise BadSettings(["the variable isn't set here"])
        return os.environ[name]
    try:
        with Path(name).open("rb") as file:
            written = file.read(_MOST_BYTES + 1)
        if len(written) > _MOST_BYTES:
            raise BadSettings(["the file is too large for a secret"])
        return written.decode("ascii")
    except OSError as error:
        raise BadSettings([f"the file can't be read: {error.strerror}"]) from None
    except ValueError:
        raise BadSettings(["the file holds more than ASCII"]) from None
