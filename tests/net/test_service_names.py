from __future__ import annotations

import pytest

from holdfast.crypto import blake2b
from holdfast.net.rpc.names import ServiceNameError, check_name, service_topic


@pytest.mark.parametrize("name", ["a", "7", "resize", "org.example/resize-2", "a" * 64])
def test_names(name: str) -> None:
    assert check_name(name) == name
    assert len(service_topic(name)) == 32


@pytest.mark.parametrize("name", ["", "a" * 65, "-a", "a-", "A", "a b", "ā", "a\n", "../x", "a\0"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ServiceNameError):
        service_topic(name)


def test_topics_are_of_a_domain_of_their_own() -> None:
    assert service_topic("a") != service_topic("b")
    assert service_topic("a") != blake2b(b"a")
    # What is announced today must be found by those who look tomorrow.
    assert service_topic("resize").hex()[:16] == "6d2cdcc9c0073d3f"
