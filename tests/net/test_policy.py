from __future__ import annotations

from holdfast.net.policy import Policy

A, B, CORE = b"a" * 32, b"b" * 32, b"c" * 32


def test_nothing_is_offered_unless_told() -> None:
    policy = Policy()
    assert not policy.offers(CORE, A)
    assert policy.offered == []


def test_an_offer_holds_for_everybody_or_for_some_until_withdrawn() -> None:
    policy = Policy()
    policy.offer(CORE)
    assert policy.offers(CORE, A) and policy.offered == [CORE]
    policy.offer(CORE, to=[B])
    assert not policy.offers(CORE, A) and policy.offers(CORE, B)
    policy.offer(CORE, to=[])
    assert not policy.offers(CORE, B) and policy.offered == []
    policy.withdraw(CORE)
    assert not policy.offers(CORE, B)


def test_watchers_hear_each_change_until_they_stop() -> None:
    heard: list[bytes] = []
    policy = Policy()
    stop = policy.on_change(heard.append)
    policy.withdraw(CORE)
    assert heard == []
    policy.offer(CORE)
    policy.withdraw(CORE)
    stop()
    stop()
    policy.offer(CORE)
    assert heard == [CORE, CORE]


def test_who_may_connect() -> None:
    policy = Policy()
    assert policy.may_connect(A)
    policy.deny(A)
    assert not policy.may_connect(A) and policy.may_connect(B)
    policy.undeny(A)
    policy.only([B])
    assert not policy.may_connect(A) and policy.may_connect(B)
    policy.deny(B)
    assert not policy.may_connect(B)
    policy.only(None)
    assert policy.may_connect(A)


def test_a_callable_can_decide_but_a_denial_stands() -> None:
    policy = Policy(lambda key: key == A)
    assert policy.may_connect(A) and not policy.may_connect(B)
    policy.deny(A)
    assert not policy.may_connect(A)


def test_announcing_is_a_switch_of_its_own() -> None:
    heard: list[bytes] = []
    policy = Policy()
    policy.on_change(heard.append)
    assert not policy.announces(CORE) and policy.announced == []
    policy.offer(CORE)
    assert not policy.announces(CORE)
    policy.announce(CORE)
    policy.announce(CORE)
    policy.withdraw(CORE)
    assert policy.announces(CORE) and policy.announced == [CORE] and policy.offered == []
    policy.hush(CORE)
    policy.hush(CORE)
    assert not policy.announces(CORE)
    assert heard == [CORE] * 4


def test_one_peer_more_or_less() -> None:
    policy = Policy()
    policy.disallow(CORE, A)
    assert policy.offered == []
    policy.allow(CORE, A)
    assert policy.offers(CORE, A) and not policy.offers(CORE, B)
    policy.allow(CORE, B)
    policy.disallow(CORE, A)
    assert not policy.offers(CORE, A) and policy.offers(CORE, B)
    policy.disallow(CORE, B)
    assert policy.offered == []
    policy.offer(CORE)
    policy.disallow(CORE, A)
    assert not policy.offers(CORE, A) and policy.offers(CORE, B) and policy.offered == [CORE]
    policy.allow(CORE, A)
    assert policy.offers(CORE, A)


def test_one_peer_gets_nothing_of_anything() -> None:
    heard: list[bytes] = []
    policy = Policy()
    policy.offer(CORE)
    policy.on_change(heard.append)
    policy.stop_uploads(A)
    assert not policy.offers(CORE, A) and policy.offers(CORE, B) and policy.may_connect(A)
    policy.resume_uploads(A)
    policy.resume_uploads(A)
    assert policy.offers(CORE, A)
    policy.offer(CORE)
    assert set(heard) == {CORE} and len(heard) == 3
