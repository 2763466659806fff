"""Formats of a JSON schema in tests: whether a text is of one, as the workers judge it, and a text that is.

A format that isn't here isn't checked in tests: the workers may.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Final

from overnight_models.wire.formats import READ_BY_PYTHON, IsOf, is_read

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PERIOD: Final = r"(?:(?:[0-9]+Y)?(?:[0-9]+M)?(?:[0-9]+D)?(?:T(?=[0-9])(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+S)?)?)"
_DURATION: Final = re.compile(rf"P(?=[0-9T])(?:[0-9]+W|{_PERIOD})")
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MAILBOX: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*")


def _is_date(text: str) -> bool:
    return _DATE.fullmatch(text) is not None and is_read(date.fromisoformat, text)


def _is_duration(text: str) -> bool:
    return _DURATION.fullmatch(text) is not None


def _is_host(text: str) -> bool:
    return len(text) <= 253 and _HOST.fullmatch(text) is not None


def _is_email(text: str) -> bool:
    mailbox, _, host = text.rpartition("@")
    return len(mailbox) <= 64 and _MAILBOX.fullmatch(mailbox) is not None and _is_host(host)


def _is_uri(text: str) -> bool:
    return _URI.fullmatch(text) is not None


def _is_ipv4(text: str) -> bool:
    return is_read(IPv4Address, text)


def _is_ipv6(text: str) -> bool:
    return "%" not in text and is_read(IPv6Address, text)


CHECKS: Final[Mapping[str, IsOf]] = MappingProxyType(
    {
        **READ_BY_PYTHON,
        "date": _is_date,
        "duration": _is_duration,
        "email": _is_email,
        "hostname": _is_host,
        "ipv4": _is_ipv4,
        "ipv6": _is_ipv6,
        "uri": _is_uri,
    }
)
"""By the name of the format."""

EXAMPLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "date": "2026-11-30",
        "date-time": "2026-11-30T08:00:00Z",
        "time": "08:00:00",
        "duration": "PT1H",
        "email": "a@example.com",
        "hostname": "shop.example",
        "ipv4": "192.0.2.1",
        "ipv6": "2001:db8::1",
        "uri": "https://example.com/",
        "uuid": "00000000-0000-4000-8000-000000000000",
    }
)
"""A text of each."""
