"""The guard of webhooks: it stands where a connection is made, so that what was checked is what is connected to.

A name is resolved once for each connection, every address that it stands for is looked at, and one of these is dialed.
The URL keeps the name: it is what TLS verifies, and each name has a TLS session of its own.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import httpcore2

from overnight_models.errors import TransientError
from overnight_workers.configuration.addresses import Address, Network, why_refused

_LEAST_S: Final = 1.0
"""For each address of a name, where several are tried."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name and port."""


class AddressRefused(TransientError):
    """A webhook's name leads where webhooks don't go. What it says names the address and what would allow it."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses that a name stands for, as the machine's resolver says. Raises OSError."""
    resolved = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in resolved]


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connections to where webhooks may go, and nowhere else.

    allowed: private networks that are meant.
    only_allowed: nothing but these, as for what isn't encrypted.
    """

    def __init__(self, allowed: Sequence[Network], *, only_allowed: bool, resolve: Resolve = resolve) -> None:
        self._allowed, self._only_allowed, self._resolve = tuple(allowed), only_allowed, resolve
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to one of the addresses of a name, all of which were checked.

        Raises AddressRefused, and httpcore2's ConnectError and ConnectTimeout.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + (timeout or 60.0)
        addresses = await self._checked(host, port, ends - loop.time())
        failed: Exception = httpcore2.ConnectError(f"{host} has no address")
        for number, address in enumerate(addresses):
            left_s = ends - loop.time()
            try:
                return await self._network.connect_tcp(
                    str(address),
                    port,
                    timeout=max(left_s / (len(addresses) - number), min(_LEAST_S, left_s), 0.01),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed

    async def _checked(self, host: str, port: int, within_s: float) -> list[Address]:
        try:
            async with asyncio.timeout(within_s):
                resolved = await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"the name {host} wasn't resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"the name {host} can't be resolved: {error}") from error
        addresses = [ipaddress.ip_address(address) for address in dict.fromkeys(resolved)]
        for address in addresses:
            why = why_refused(address, self._allowed)
            if why is None and self._only_allowed and not self._is_allowed(address):
                why = "not in `allow_private`, and what is sent isn't encrypted"
            if why is not None:
                raise AddressRefused(
                    f"{host} stands for {address}, where webhooks don't go: {why}. A private network that is meant"
                    " stands in the webhook's `allow_private`"
                )
        return addresses

    def _is_allowed(self, address: Address) -> bool:
        return any(address in network for network in self._allowed if network.version == address.version)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Never: a webhook goes over the network."""
        raise AddressRefused("a webhook doesn't go to a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
