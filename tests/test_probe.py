"""Which wall stands before an address, told from the address alone."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from paas.probe import find_wall, interface_to
from paas.settings import Settings

SETTINGS = Settings(network="10.213.0.0/16", services="10.214.0.0/16")
OWN = (SETTINGS.subnet(3), SETTINGS.shared_subnet(2044))
ROUTES = """\
Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 010011AC 0003 0 0 0 00000000 0 0 0
docker0 000011AC 00000000 0001 0 0 0 0000FFFF 0 0 0
br-x 000012AC 00000000 0001 0 0 0 0000FFFF 0 0 0
"""


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("169.254.169.254", "metadata service"),
        ("100.100.100.200", "metadata service"),
        ("10.213.0.5", "share a network"),
        ("10.214.7.7", "share a network"),
        ("::1", "no IPv6"),
    ],
)
def test_a_wall_is_named(address: str, said: str) -> None:
    assert said in find_wall(SETTINGS, OWN, address)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.213.0.99", "10.213.255.130", "198.51.100.7"])
def test_before_others_stands_none(address: str) -> None:
    assert find_wall(SETTINGS, OWN, address) == ""


@pytest.mark.parametrize(
    ("address", "interface"),
    [("172.17.0.9", "docker0"), ("172.18.3.4", "br-x"), ("9.9.9.9", "eth0")],
)
def test_the_narrowest_route_says_where_an_address_is(
    tmp_path: Path, address: str, interface: str
) -> None:
    table = tmp_path / "route"
    table.write_text(ROUTES)
    assert interface_to(IPv4Address(address), table) == interface
