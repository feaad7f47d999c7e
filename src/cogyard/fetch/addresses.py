"""Which addresses a URL that a caller gave may lead to.

The check is made on the address that is really dialled, after DNS and after each redirect, so that no spelling of an
address and no name that changes its mind gets round it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

Profile = Literal["dev", "lan", "public"]

_NEVER_4 = (
    IPv4Network("169.254.0.0/16"),
    IPv4Network("0.0.0.0/8"),
    IPv4Network("224.0.0.0/4"),
    IPv4Network("240.0.0.0/4"),
)
"""Cloud metadata and link-local, "this host", multicast, reserved and broadcast."""

_NEVER_6 = (IPv6Network("fe80::/10"), IPv6Network("ff00::/8"), IPv6Network("fd00:ec2::/32"), IPv6Network("::/128"))

_SHARED_4 = IPv4Network("100.64.0.0/10")
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = IPv6Network("::/96")


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What may be dialled: in `dev` loopback and private networks too, in `lan` private ones, in `public` neither.

    `forbidden_ports` are those of this machine that are never to be reached over loopback: our own model servers'.
    """

    profile: Profile
    forbidden_ports: Callable[[], frozenset[int]] = frozenset

    def refuses(self, host: str, port: int) -> str | None:
        """Why the literal address may not be dialled; None when it may."""
        try:
            address = _plain(ip_address(host.partition("%")[0]))
        except ValueError:
            return f"{host} is not an address"
        never = _NEVER_4 if isinstance(address, IPv4Address) else _NEVER_6
        if any(address in network for network in never):
            return "link-local, metadata and other special addresses are never allowed"
        if address.is_loopback:
            if self.profile != "dev":
                return "addresses of the server itself are not allowed"
            if port in self.forbidden_ports():
                return "this port belongs to the server itself"
            return None
        if self.profile == "public" and (not address.is_global or address in _SHARED_4):
            return "addresses of private networks are not allowed"
        return None


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv6 one, where there is one (mapped, compatible, 6to4, Teredo, NAT64)."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inner is not None:
        return inner
    low = int(address) & 0xFFFFFFFF
    if any(address in network for network in _NAT64) or (address in _COMPATIBLE and low > 1):
        return IPv4Address(low)
    return address
