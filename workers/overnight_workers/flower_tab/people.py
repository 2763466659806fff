"""Who looks, and what that person may do: a name from Flower's login, and the roles that the settings give it."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NoBase64
from dataclasses import dataclass, fields
from typing import Any

from overnight_workers.configuration.operator_settings import Roles
from overnight_workers.settings import settings

VIEWER = "viewer"
OPERATOR = "operator"
READER_OF_BODIES = "reader_of_bodies"
_EVERYBODY = "*"


@dataclass(frozen=True)
class Person:
    """Whoever sent a request."""

    name: str | None
    """As Flower's login has it; None where Flower has no login: nobody knows who that is."""
    roles: frozenset[str]
    read_only: bool = False
    """Flower was started with `--read-only`: nobody may change anything in it."""

    def may(self, role: str) -> bool:
        """Whether the settings give this person a role. What is recorded needs a name."""
        if role == VIEWER:
            return bool(self.roles)
        return role in self.roles and self.name is not None and not (role == OPERATOR and self.read_only)

    def why_not(self, role: str) -> str:
        """Why this person may not, and who changes that."""
        if self.name is None:
            return (
                "Flower has no login, so nobody knows who this is, and what is done couldn't be recorded."
                " Start it with --basic-auth or --auth, and name its users in [roles] of overnight.toml."
            )
        if role == OPERATOR and role in self.roles and self.read_only:
            return "Flower was started with --read-only: use the command line, or start it without."
        return (
            f"You are {self.name}, who isn't named in `{role}` of [roles]: write the name into the overnight.toml"
            " that Flower reads, and start Flower again."
        )


def person_of(handler: Any) -> Person:
    """Whoever sent the request that a handler answers; the login has let it in."""
    options = handler.application.options
    name = _name(handler)
    return Person(name, roles_of(name, settings().roles), bool(options.read_only))


def _name(handler: Any) -> str | None:
    options = handler.application.options
    if options.auth:
        return str(handler.current_user)
    if not options.basic_auth:
        return None
    try:
        _, credentials = handler.request.headers.get("Authorization", "").split()
        return b64decode(credentials).decode().partition(":")[0]
    except (ValueError, NoBase64):  # the login has let it in, so this is not reached
        return None


def roles_of(name: str | None, roles: Roles) -> frozenset[str]:
    """The roles of a name."""
    given = {field.name: getattr(roles, field.name) for field in fields(Roles)}
    return frozenset(role for role, names in given.items() if _EVERYBODY in names or name in names)
