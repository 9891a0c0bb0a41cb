"""Two commands and a link without an address, in networks of every sort."""

from __future__ import annotations

from tests.support.netlab import Lab, Tier
from tests.support.netlab_community import bootstrap_node, community, directly, get, sharing

SIZE = 300_000


def test_on_one_network_without_internet(lab: Lab) -> None:
    alice, bob = lab.lan("boat", 2)
    with sharing(alice, SIZE) as shared:
        assert "peer=" not in shared.link
        got = get(bob, shared.link)
        assert got.status == 0, got.story
        assert got.content == shared.content


def test_on_one_machine_without_network(lab: Lab) -> None:
    (alone,) = lab.lan("alone", 1)
    alone.ip("link set eth down")
    with sharing(alone, SIZE) as shared:
        got = get(alone, shared.link)
        assert got.status == 0, got.story
        assert got.content == shared.content


def test_with_our_own_bootstrap_only(lab: Lab) -> None:
    alice, bob = lab.site("alice", Tier.MODERATE), lab.site("bob", Tier.MODERATE)
    with community(lab) as ours, sharing(alice.host, SIZE, *ours.options) as shared:
        assert "peer=" not in shared.link
        got = get(bob.host, shared.link, *ours.options)
        assert got.status == 0, got.story
        assert got.content == shared.content
        assert directly(lab, alice, bob) > SIZE


def test_with_a_relay_only(lab: Lab) -> None:
    """No UDP on either side: all there is, is a relay that both may call."""
    alice, bob = lab.site("alice", Tier.BLOCKED), lab.site("bob", Tier.BLOCKED)
    host = lab.host("relay")
    listen = f"{host.address}:49737"
    with bootstrap_node(host, listen), sharing(alice.host, SIZE, "--relay", listen) as shared:
        assert "peer=" not in shared.link
        got = get(bob.host, shared.link, "--relay", listen)
        assert got.status == 0, got.story
        assert got.content == shared.content
        assert not directly(lab, alice, bob)


def test_a_wrong_bootstrap_finds_nothing_and_says_so(lab: Lab) -> None:
    alice, bob = lab.site("alice", Tier.MODERATE), lab.site("bob", Tier.MODERATE)
    nobody = f"{lab.host('nobody').address}:49737"
    with community(lab, 1) as ours, sharing(alice.host, SIZE, *ours.options) as shared:
        got = get(bob.host, shared.link, "--bootstrap", nobody, "--timeout", "20")
    assert got.status not in (0, 1, 2), got.story
    assert nobody in got.story, "the bootstrap that does not answer is named"
    assert got.content is None
