"""Where a registry's name leads, before the engine goes there in the host's own network."""

import socket

import pytest

from paas.build.registry import refuse_inside
from paas.errors import BuildFailed


@pytest.mark.parametrize("address", ["127.0.0.9", "0.0.0.0", "169.254.169.254", "::1", "fe80::1"])
def test_a_public_name_that_leads_back_to_the_host_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    answer = [
        (socket.AF_INET, 1, 6, "", ("203.0.113.1", 0)),
        (socket.AF_INET, 1, 6, "", (address, 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: answer)
    with pytest.raises(BuildFailed, match="leads back to this host"):
        refuse_inside("evil.example.org:5000")


def test_other_names_and_unknown_ones_are_left_to_the_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def resolve(name: str, _: object) -> list[object]:
        asked.append(name)
        if name == "unknown.example.org":
            raise socket.gaierror
        return [(socket.AF_INET, 1, 6, "", ("10.1.2.3", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    refuse_inside("company.example.org")
    refuse_inside("unknown.example.org:443")
    assert asked == ["company.example.org", "unknown.example.org"]
