"""Limits per address: an IPv6 subscriber, who has a whole network of addresses, counts as one."""

import pytest

from api.edge.connections import Connections, client_of
from api.edge.outcome import Refusal
from api.sessions.log_ons import LogOns
from tests.api.sessions.in_process import InProcessGateway


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_addresses_of_one_subscriber_are_one_client(address: str, client: str) -> None:
    assert client_of(address) == client


def test_connections_of_an_ipv6_network_are_limited_together() -> None:
    connections = Connections(100, 2)
    assert connections.enter("2001:db8::1") is None
    assert connections.enter("2001:db8::2") is None
    assert connections.enter("2001:db8::3") == "2 connections of this address are open already"
    assert connections.enter("2001:db8:0:1::1") is None
    connections.leave("2001:db8::2")
    assert connections.enter("2001:db8::3") is None
    for address in ("2001:db8::1", "2001:db8::3", "2001:db8:0:1::1"):
        connections.leave(address)
    assert (connections.open, len(connections._by_address)) == (0, 0)


def test_log_ons_of_an_ipv6_network_are_limited_together() -> None:
    log_ons = LogOns(lambda: 0.0, 2)
    sessions = [InProcessGateway(fast=True).session for _ in range(3)]
    for number, session in enumerate(sessions):
        session.address = f"2001:db8::{number}"
    log_ons.begin(sessions[0])
    log_ons.begin(sessions[1])
    with pytest.raises(Refusal, match="2 log-ons are under way from this address"):
        log_ons.begin(sessions[2])
    log_ons.end(sessions[0])
    log_ons.begin(sessions[2])
