"""URLs and names of variables, as settings have them. They may hold secrets: nothing of them is shown."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from overnight_models.errors import BadSettings
from overnight_models.host_name import is_host
from overnight_models.ledger.database_url import read_link
from overnight_models.wire.redis_place import is_redis
from overnight_workers.configuration.kinds import text

_RABBIT: Final = ("amqp", "amqps", "pyamqp")
"""Brokers whose URLs have a host and a port; those of others have forms of their own."""


def postgres_url(given: object) -> str:
    """The URL of a Postgres, or nothing."""
    url = text(given).strip()
    try:
        if url:
            read_link(url)
    except BadSettings as error:
        raise ValueError(error.faults[0]) from None
    return url


def broker_url(given: object) -> str:
    """The URL of a broker that Celery knows."""
    url = text(given).strip()
    scheme = url.partition("://")[0] if "://" in url else ""
    if is_redis(url):
        return url  # judged with its other settings
    from kombu.transport import TRANSPORT_ALIASES

    if scheme.partition("+")[0] not in TRANSPORT_ALIASES:
        raise ValueError("the URL of a broker begins with redis://, rediss://, amqp:// or another that Celery knows")
    if scheme in _RABBIT:
        try:
            has_place = is_host(urlsplit(url).hostname or "") and urlsplit(url).port != 0
        except ValueError:
            has_place = False
        if not has_place:
            raise ValueError(
                "its host or its port can't be that; in a password / ? # @ : ; and % have to be percent-encoded"
            )
    return url


def api_url(given: object) -> str:
    """Where an API answers."""
    url = text(given).strip()
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        whole = None
    if not whole:
        raise ValueError("it is the API's address, such as https://api.anthropic.com")
    return url


def variable_name(given: object) -> str:
    """The name of an environment variable."""
    if not isinstance(given, str) or re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", given) is None:
        raise ValueError("it names the environment variable that holds the key, and isn't the key itself")
    return given
