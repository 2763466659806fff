"""Django's connection to a product's database, without a project around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.conf import settings
from django.db import connections
from sqlalchemy import make_url

ALIAS = "default"


def configure() -> None:
    """Django's settings, which a process has once."""
    if not settings.configured:
        settings.configure(DATABASES={}, INSTALLED_APPS=[], USE_TZ=True, SECRET_KEY="of a test")
        django.setup()


@contextmanager
def connected(shop: str) -> Iterator[Any]:
    """Django's connection `default`, to that database."""
    url = make_url(shop)
    configure()
    connections.databases[ALIAS] = connections.configure_settings(
        {
            ALIAS: {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": url.database,
                "USER": url.username,
                "PASSWORD": url.password,
                "HOST": url.host,
                "PORT": url.port,
            }
        }
    )[ALIAS]
    connection = connections[ALIAS]
    try:
        yield connection
    finally:
        connection.close()
        del connections[ALIAS]
