"""Where a Redis is: its URL read once, by one rule for redis-py and for Celery, which read URLs differently.

    redis://[[USER]:PASSWORD@]HOST[:6379][/DATABASE]            valkey:// means the same
    rediss://…                                                  over TLS, verified; valkeys:// means the same
    sentinel://[[USER]:PASSWORD@]HOST[:26379][/DATABASE][;sentinel://HOST…]   the primary that Sentinels name
    sentinels://…                                               over TLS, Sentinels and primary
    unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE]                redis+socket:// means the same

In the query of a TLS URL: ssl_cert_reqs, ssl_check_hostname, ssl_ca_certs, ssl_certfile, ssl_keyfile. Nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Required, TypedDict
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from overnight_models.errors import BadSettings
from overnight_models.host_name import is_host

_TCP: Final = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
"""Schemes of one server, and whether they mean TLS."""
_SENTINEL: Final = {"sentinel": False, "sentinels": True}
_SOCKET: Final = ("unix", "redis+socket")
_SCHEMES: Final = (*_TCP, *_SENTINEL, *_SOCKET)
_CLUSTER: Final = ("redis+cluster", "rediss+cluster", "redis-cluster", "rediss-cluster", "valkey-cluster", "cluster")
_VERIFIED: Final = {"required": "required", "optional": "optional", "none": "none"}
_BOOLEAN: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_FILES: Final[tuple[Literal["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"], ...]] = (
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
)
_TLS_OPTIONS: Final = ("ssl_cert_reqs", "ssl_check_hostname", *_FILES)
_DATABASE: Final = ("db", "virtual_host")


class Tls(TypedDict, total=False):
    """redis-py's options of an encrypted connection: whom to believe, and files of certificates in PEM."""

    ssl_cert_reqs: Required[str]
    ssl_check_hostname: Required[bool]
    ssl_ca_certs: str
    ssl_certfile: str
    ssl_keyfile: str


@dataclass(frozen=True)
class RedisPlace:
    """One Redis, or the Sentinels that know it.

    nodes: hosts and ports, of the server or of its Sentinels; empty for a socket.
    tls: None: not encrypted.
    master_name: what the Sentinels call it; None: there are no Sentinels.
    """

    nodes: tuple[tuple[str, int], ...] = ()
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = field(default=None, compare=False)
    master_name: str | None = None
    socket: str | None = None

    @property
    def shown(self) -> str:
        """Where it is, for people: without user and password."""
        where = self.socket or ", ".join(f"{host}:{port}" for host, port in self.nodes)
        return f"{self.master_name!r} of the Sentinels at {where}" if self.master_name else where

    @property
    def identity(self) -> tuple[object, ...]:
        """What two URLs of the same database have in common, whatever user and encryption they name."""
        nodes = frozenset(("127.0.0.1" if host == "localhost" else host, port) for host, port in self.nodes)
        return nodes, self.database, self.master_name, self.socket

    def celery(self, transport_options: Mapping[str, object] | None = None) -> dict[str, Any]:
        """The settings of a Celery app whose broker it is."""
        options: dict[str, object] = dict(transport_options or {})
        if self.master_name:
            options["master_name"] = self.master_name
            timeouts = {name: wait for name, wait in options.items() if name.startswith("socket_")}
            options["sentinel_kwargs"] = timeouts | ({"ssl": True, **self.tls} if self.tls else {})
        return {
            "broker_url": self._celery_url(),
            "broker_use_ssl": dict(self.tls) if self.tls else None,
            "broker_transport_options": options,
        }

    def _celery_url(self) -> str:
        """A URL that kombu and Flower read as meant; on every Sentinel, since they forget the first's credentials."""
        user = quote(self.username or "", safe="")
        credentials = f"{user}:{quote(self.password or '', safe='')}@" if user or self.password else ""
        if self.socket:
            return f"redis+socket://{credentials}{quote(self.socket)}?virtual_host={self.database}"
        scheme = "sentinel" if self.master_name else "rediss" if self.tls else "redis"
        hosts = ((f"[{host}]" if ":" in host else host, port) for host, port in self.nodes)
        return ";".join(f"{scheme}://{credentials}{host}:{port}/{self.database}" for host, port in hosts)


def is_redis(url: str) -> bool:
    """Whether a URL means a Redis, however it is reached; a Cluster, which can't be used, is meant to be one too."""
    return url.partition("://")[0].lower() in (*_SCHEMES, *_CLUSTER)


def read_redis_url(url: str, *, ca_file: str = "", master_name: str = "") -> RedisPlace:
    """Read a URL. Raises BadSettings with every fault, none of which shows a password.

    ca_file: PEM certificates that the server's has to be signed by; default: those that the machine trusts.
    master_name: what Sentinels call the primary.
    """
    faults: list[str] = []
    place = _read(url.strip(), ca_file, master_name, faults)
    if faults or place is None:
        raise BadSettings(faults)
    return place


def _read(url: str, ca_file: str, master_name: str, faults: list[str]) -> RedisPlace | None:
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme in _CLUSTER:
        faults.append(
            "a Redis Cluster can't be a Celery broker: one message needs keys that it keeps on different nodes;"
            " use a primary with replicas (sentinel:// or redis://)"
        )
        return None
    if scheme not in _SCHEMES:
        faults.append(f"the URL of a Redis begins with {', '.join(f'{known}://' for known in _SCHEMES)}")
        return None
    try:
        parts = [urlsplit(node if "://" in node else f"{scheme}://{node}") for node in url.split(";")]
        given = dict(option for part in parts for option in parse_qsl(part.query, keep_blank_values=True))
        nodes = tuple(_node(part, 26379 if scheme in _SENTINEL else 6379) for part in parts)
    except ValueError:
        faults.append("its host or its port can't be that; in a password / ? # @ : ; and % have to be percent-encoded")
        return None
    if any(part.scheme.lower() != scheme for part in parts) or (len(parts) > 1 and scheme not in _SENTINEL):
        faults.append("only Sentinels are several, all of one scheme: sentinel://HOST:26379;sentinel://HOST:26379")
    tls = _tls(given, ca_file, faults) if _TCP.get(scheme) or _SENTINEL.get(scheme) else None
    _refuse_options(given, scheme, tls is not None, ca_file, faults)
    named = given.get("master_name") or master_name
    if scheme in _SENTINEL and not named:
        faults.append("which primary? Sentinels know several: set OVERNIGHT_REDIS_MASTER (`master_name` of a broker)")
    on_socket = scheme in _SOCKET
    return RedisPlace(
        nodes=() if on_socket else nodes,
        database=_database(given, "" if on_socket else next((p.path for p in parts if p.path.strip("/")), ""), faults),
        username=next((unquote(part.username) for part in parts if part.username), None),
        password=next((unquote(part.password) for part in parts if part.password), None),
        tls=tls,
        master_name=named if scheme in _SENTINEL else None,
        socket=_path(parts[0], faults) if on_socket else None,
    )


def _node(part: SplitResult, port: int) -> tuple[str, int]:
    """Host and port. Raises ValueError."""
    host = unquote(part.hostname or "")
    if not is_host(host):
        raise ValueError("it may be the rest of a password")
    return host or "localhost", part.port or port


def _path(part: SplitResult, faults: list[str]) -> str:
    if part.hostname or not part.path.strip("/"):
        faults.append("a socket is a path from the root on: unix:///run/redis.sock?db=0")
    return unquote(part.path)


def _database(given: dict[str, str], path: str, faults: list[str]) -> int:
    number = given.get("db") or given.get("virtual_host") or unquote(path).strip("/") or "0"
    if not number.isascii() or not number.isdigit():
        faults.append("its database is a number: redis://HOST:6379/0")
        return 0
    return int(number)


def _tls(given: dict[str, str], ca_file: str, faults: list[str]) -> Tls:
    """What both libraries are told of TLS: verified, unless the URL says otherwise."""
    asked = given.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    if asked not in _VERIFIED:
        faults.append("ssl_cert_reqs is required (the default), optional or none")
    by_name = given.get("ssl_check_hostname", "true").lower()
    if by_name not in _BOOLEAN:
        faults.append("ssl_check_hostname is true (the default) or false")
    tls: Tls = {
        "ssl_cert_reqs": _VERIFIED.get(asked, "required"),
        "ssl_check_hostname": _BOOLEAN.get(by_name, True) and asked != "none",
    }
    for name in _FILES:
        path = given.get(name) or (ca_file if name == "ssl_ca_certs" else "")
        if path:
            tls[name] = path
            if not os.access(path, os.R_OK):
                faults.append(f"{name}: there is no file {path} that can be read")
    return tls


def _refuse_options(given: dict[str, str], scheme: str, tls: bool, ca_file: str, faults: list[str]) -> None:
    """Options that one of the libraries doesn't know, or that mean nothing here."""
    known = (*_DATABASE, *(_TLS_OPTIONS if tls else ()), *(("master_name",) if scheme in _SENTINEL else ()))
    for name in given:
        if name in known:
            continue
        if name in _TLS_OPTIONS:
            faults.append(f"{name} without TLS: {scheme}:// isn't encrypted, rediss:// (or sentinels://) is")
        else:
            faults.append(
                f"option {name!r} can't be in the URL of a Redis: Overnight sets timeouts and protocol itself"
                f" (what can: {', '.join(known)})"
            )
    if ca_file and not tls:
        faults.append(f"certificates ({ca_file}) without TLS: {scheme}:// isn't encrypted, rediss:// is")
