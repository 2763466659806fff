"""Where Postgres is: its URL, read by libpq's rules, which allow several hosts where SQLAlchemy's own reader fails.

postgresql://USER:PASSWORD@HOST[:5432]/DATABASE
postgresql://USER:PASSWORD@HOST[:5432],HOST[:5432]/DATABASE     of several hosts, the one that takes writes
…/DATABASE?host=HOST,HOST&port=5432,5432                        the same
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote

from overnight_models.errors import BadSettings
from overnight_models.host_name import is_host

if TYPE_CHECKING:
    from sqlalchemy import URL

_SCHEMES: Final = ("postgresql", "postgres", "postgresql+psycopg")
_PARTS: Final = re.compile(r"(?P<before>[^:/?#]+://(?:[^/?#]*@)?)(?P<hosts>[^/?#@]*)(?P<after>.*)", re.DOTALL)
_HOST: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>\d*))?")
_WHOLE: Final = re.compile(
    r"(?P<scheme>[\w+]+)://(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?(?P<hosts>[^/?]*)"
    r"(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)
_FORM: Final = "write postgresql://USER:PASSWORD@HOST:5432/DATABASE, the password percent-encoded"


def read_database_url(url: str) -> URL:
    """The URL for SQLAlchemy and psycopg. Raises BadSettings, which never shows the URL itself.

    Of several hosts the one that takes writes is meant, unless the URL has a `target_session_attrs` of its own.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        read = make_url(_hosts_in_query(url))
    except (ArgumentError, ValueError):
        # their words have parts of the URL in them
        raise BadSettings([f"it isn't the URL of a Postgres: {_FORM}"]) from None
    if not is_host(read.host or ""):
        # the rest of a password, which an error would show
        raise BadSettings([f"its host can't be a host's name: {_FORM}"])
    if read.drivername not in _SCHEMES:
        raise BadSettings([f"{read.drivername}:// isn't the URL of a Postgres: {_FORM}"])
    read = read.set(drivername="postgresql+psycopg")
    if len(_places(read)) > 1 and "target_session_attrs" not in read.query:
        read = read.update_query_dict({"target_session_attrs": "read-write"})
    return read


def read_link(url: str) -> dict[str, str]:
    """The same as psycopg's parameters, without SQLAlchemy, whose import alone takes longer than most questions.

    Raises BadSettings, which never shows the URL itself.
    """
    parts = _WHOLE.fullmatch(url)
    if parts is None or parts["scheme"] not in _SCHEMES:
        raise BadSettings([f"it isn't the URL of a Postgres: {_FORM}"])
    nodes = [_HOST.fullmatch(node) for node in (parts["hosts"] or "").split(",") if node]
    if any(node is None for node in nodes):
        raise BadSettings([f"it isn't the URL of a Postgres: {_FORM}"])
    link = {"user": unquote(parts["user"] or ""), "password": unquote(parts["password"] or "")}
    link["dbname"] = unquote(parts["database"] or "")
    link["host"] = ",".join(node["host"].strip("[]") for node in nodes if node)
    if any(node and node["port"] for node in nodes):
        link["port"] = ",".join(node["port"] or "5432" for node in nodes if node)
    asked = parse_qsl(parts["query"] or "", keep_blank_values=True)
    if hosts := [value for name, value in asked if name == "host"]:
        places = [place for host in hosts for place in host.split(",")]
        split = [place.rsplit(":", 1) if place.count(":") == 1 else [place] for place in places]
        link["host"] = ",".join(place[0] for place in split)
        if any(len(place) == 2 for place in split):
            link["port"] = ",".join(place[1] if len(place) == 2 else "5432" for place in split)
    link |= {name: value for name, value in asked if name != "host"}
    if "," in link["host"]:
        link.setdefault("target_session_attrs", "read-write")
    return {name: value for name, value in link.items() if value}


def shown(url: URL) -> str:
    """Where it is, for people: hosts and ports, without user and password."""
    return ", ".join(_places(url)) or "the local socket"


def _hosts_in_query(url: str) -> str:
    """The same with several hosts in the query, where SQLAlchemy can read them."""
    parts = _PARTS.fullmatch(url)
    if parts is None or "," not in parts["hosts"]:
        return url
    nodes = [_HOST.fullmatch(node) for node in parts["hosts"].split(",")]
    if any(node is None for node in nodes):
        return url
    hosts = ",".join(node["host"].strip("[]") for node in nodes if node)
    ports = ",".join(node["port"] or "5432" for node in nodes if node)
    joined = "&" if "?" in parts["after"] else "?"
    return f"{parts['before']}{parts['after']}{joined}host={hosts}&port={ports}"


def _places(url: URL) -> list[str]:
    """Each host with its port, wherever the URL has them."""
    hosts, ports = url.query.get("host", url.host), url.query.get("port", url.port)
    named = [host for several in ([hosts] if isinstance(hosts, str) else hosts or ()) for host in several.split(",")]
    numbered = str(ports or "5432").split(",") if not isinstance(ports, tuple) else list(ports)
    numbered = numbered * len(named) if len(numbered) == 1 else numbered
    return [
        host if ":" in host and not host.startswith("[") and host.count(":") == 1 else f"{host}:{port or '5432'}"
        for host, port in zip(named, numbered, strict=False)
    ]
