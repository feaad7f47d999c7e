"""Which addresses may be dialled, in each profile."""

import pytest

from cogyard.fetch.addresses import AddressPolicy, Profile

NEVER = [
    "169.254.169.254", "169.254.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "::", "fe80::1", "fe80::1%eth0", "ff02::1", "fd00:ec2::254", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "::ffff:0.0.0.0", "not an address", "::169.254.169.254",
]  # fmt: skip
LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
PRIVATE = [
    "10.0.0.1", "172.16.0.1", "192.168.1.20", "100.64.0.1", "fd12:3456::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
    "198.18.0.1",
]  # fmt: skip
PUBLIC = ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "8.8.8.8"]


@pytest.mark.parametrize("profile", ["dev", "lan", "public"])
@pytest.mark.parametrize("address", NEVER)
def test_special_addresses_are_never_dialled(profile: Profile, address: str) -> None:
    assert AddressPolicy(profile).refuses(address, 80) is not None


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_is_for_development(address: str) -> None:
    assert AddressPolicy("dev").refuses(address, 80) is None
    assert AddressPolicy("lan").refuses(address, 80) is not None
    assert AddressPolicy("public").refuses(address, 80) is not None


@pytest.mark.parametrize("address", PRIVATE)
def test_private_networks_are_not_for_the_public(address: str) -> None:
    assert AddressPolicy("dev").refuses(address, 80) is None
    assert AddressPolicy("lan").refuses(address, 80) is None
    assert AddressPolicy("public").refuses(address, 80) is not None


@pytest.mark.parametrize("profile", ["dev", "lan", "public"])
@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_open(profile: Profile, address: str) -> None:
    assert AddressPolicy(profile).refuses(address, 80) is None


def test_our_own_ports_are_never_dialled() -> None:
    policy = AddressPolicy("dev", lambda: frozenset({5001}))

    assert policy.refuses("127.0.0.1", 5001) is not None
    assert policy.refuses("127.0.0.1", 5002) is None
    assert policy.refuses("93.184.216.34", 5001) is None
