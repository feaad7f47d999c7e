"""HTTP sessions that dial only the addresses that a policy allows."""

import socket

import aiohttp
from aiohttp.connector import AddrInfoType
from aiohttp.resolver import ThreadedResolver

from cogyard.fetch.addresses import AddressPolicy


class Refused(OSError):
    """The address that was about to be dialled is off limits."""


def open_session(policy: AddressPolicy, *, connections: int) -> aiohttp.ClientSession:
    """A session without cookies, proxies or a DNS cache; `connections` at once, 0 for any number."""

    def dial(address: AddrInfoType) -> socket.socket:
        """The socket for an address that is about to be dialled; the last place where one can be refused."""
        family, kind, protocol, _, target = address
        refusal = policy.refuses(str(target[0]), int(target[1]))
        if refusal is not None:
            raise Refused(refusal)
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    connector = aiohttp.TCPConnector(
        socket_factory=dial, resolver=ThreadedResolver(), ttl_dns_cache=0, limit=connections
    )
    return aiohttp.ClientSession(
        connector=connector, trust_env=False, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    )
