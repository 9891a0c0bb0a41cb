"""The waiting side of hole punching: what it answers, and when it gives up."""

from __future__ import annotations

from holdfast.dht.handshake_messages import PeerError
from holdfast.dht.nat import Address, Firewall, NatSamples
from holdfast.dht.punch_client import SAMPLING_TIME, Reopened
from holdfast.dht.punch_server import FIRST_WORD_TIME, MAX_QUESTIONS, GaveUp, PunchServer, Say
from holdfast.dht.puncher import RandomBudget
from holdfast.dht.secure_payload import PunchNote, SecurePayload

OURS, CLIENT = ("40.0.0.1", 4000), ("30.0.0.1", 3000)
SECRET = b"s" * 32


def fixed(count: int) -> bytes:
    return bytes(count)


def nat(*seen: Address) -> NatSamples:
    samples = NatSamples()
    for number, address in enumerate(seen):
        samples.add(address, (f"20.0.0.{number}", 1))
    return samples


STEADY = (OURS,) * 4
CHANGING = tuple((OURS[0], port) for port in range(4000, 4004))


class Client:
    """The other side's words."""

    def __init__(self, samples: NatSamples, budget: RandomBudget | None = None) -> None:
        self.payload = SecurePayload(SECRET, fixed)
        self.server: PunchServer[str] = PunchServer(
            SecurePayload(SECRET, fixed),
            nat=samples,
            remote_firewall=Firewall.UNKNOWN,
            budget=budget or RandomBudget(),
            below=lambda n: 0,
            now=0.0,
        )

    def ask(self, note: PunchNote, now: float = 0.0, *, relay: bool = True) -> list[object]:
        sealed = self.payload.seal(note)
        assert self.server.asked(sealed, peer=CLIENT, from_our_relay=relay, tag="tag", now=now)
        return self.said()

    def said(self) -> list[object]:
        return [
            self.payload.open(event.sealed) if isinstance(event, Say) else event
            for event in self.server.events()
        ]


PUNCH = PunchNote(firewall=Firewall.CONSISTENT, round=1, punching=True, addresses=[CLIENT])


def test_the_first_answer_tells_how_it_stands() -> None:
    client = Client(nat(*STEADY))
    (answer,) = client.ask(PunchNote(remote_address=OURS, token=b"t" * 32))
    assert isinstance(answer, PunchNote)
    assert answer.firewall == Firewall.CONSISTENT
    assert answer.addresses == [OURS]
    assert answer.token is not None
    assert answer.remote_token == b"t" * 32
    assert not answer.punching
    # The client has opened its NAT for us: a probe goes out at once.
    assert [probe.to for probe in client.server.puncher.to_send(0.0)] == [CLIENT]


def test_tokens_go_through_our_own_relays_only() -> None:
    (answer,) = Client(nat(*STEADY)).ask(PunchNote(), relay=False)
    assert isinstance(answer, PunchNote)
    assert answer.token is None


def test_a_token_that_comes_back_shows_where_the_client_is() -> None:
    client = Client(nat(*STEADY))
    (answer,) = client.ask(PunchNote())
    assert isinstance(answer, PunchNote)
    note = PunchNote(
        firewall=Firewall.CONSISTENT,
        round=1,
        punching=True,
        addresses=[CLIENT],
        remote_token=answer.token,
    )
    (second,) = client.ask(note)
    assert isinstance(second, PunchNote)
    assert second.punching
    assert client.server.puncher.verified == {CLIENT[0]}
    assert client.server.expects == {CLIENT[0]}


def test_it_waits_until_its_own_nat_is_clear() -> None:
    client = Client(nat(OURS))
    assert client.ask(PunchNote()) == []
    for number in range(3):
        client.server.sampled(0, OURS, (f"20.0.1.{number}", 1), 0.5)
    (answer,) = client.said()
    assert isinstance(answer, PunchNote)
    assert answer.firewall == Firewall.CONSISTENT


def test_without_a_verdict_it_tries_other_sockets_and_gives_up() -> None:
    client = Client(nat())
    assert client.ask(PunchNote()) == []
    now, seen = 0.0, []
    while (due := client.server.deadline()) is not None:
        now = due
        client.server.on_deadline(now)
        seen += client.said()
    assert [event for event in seen if isinstance(event, Reopened)] == [
        Reopened(1),
        Reopened(2),
        Reopened(3),
    ]
    assert isinstance(seen[-2], PunchNote)
    assert seen[-2].error == PeerError.ABORTED
    assert seen[-1] == GaveUp()
    assert now <= 4 * SAMPLING_TIME


def test_a_client_that_says_no_more_is_given_up() -> None:
    client = Client(nat(*STEADY))
    client.ask(PunchNote())
    assert client.server.deadline() == FIRST_WORD_TIME
    client.server.on_deadline(FIRST_WORD_TIME)
    assert client.said() == [GaveUp()]
    assert client.server.deadline() is None


def test_a_client_that_gives_up_is_told_so_too() -> None:
    client = Client(nat(*STEADY))
    answer, end = client.ask(PunchNote(error=PeerError.ABORTED))
    assert isinstance(answer, PunchNote)
    assert answer.error == PeerError.ABORTED
    assert end == GaveUp()
    assert client.ask(PunchNote()) == []


def test_difficult_connections_come_one_at_a_time() -> None:
    budget = RandomBudget()
    budget.take()
    client = Client(nat(*CHANGING), budget)
    answer, end = client.ask(PUNCH)
    assert isinstance(answer, PunchNote)
    assert answer.error == PeerError.TRY_LATER
    assert end == GaveUp()


def test_two_changing_nats_are_not_tried() -> None:
    client = Client(nat(*CHANGING))
    note = PunchNote(firewall=Firewall.RANDOM, round=1, punching=True, addresses=[(CLIENT[0], 0)])
    answer, end = client.ask(note)
    assert isinstance(answer, PunchNote)
    assert answer.error == PeerError.ABORTED
    assert end == GaveUp()


def test_words_of_others_are_not_heard() -> None:
    client = Client(nat(*STEADY))
    stranger = SecurePayload(b"x" * 32, fixed)
    for sealed in (b"", b"x" * 50, stranger.seal(PUNCH)):
        assert not client.server.asked(sealed, peer=CLIENT, from_our_relay=True, tag="tag", now=0.0)
    assert client.said() == []


def test_questions_do_not_pile_up() -> None:
    client = Client(nat())
    for _ in range(50):
        client.ask(PunchNote())
    assert len(client.server._questions) == MAX_QUESTIONS


def test_an_older_round_changes_nothing() -> None:
    client = Client(nat(*STEADY))
    client.ask(PUNCH)
    client.ask(PunchNote(firewall=Firewall.RANDOM, round=0))
    assert client.server.puncher.remote_firewall == Firewall.CONSISTENT


def test_closing_ends_it() -> None:
    client = Client(nat(*STEADY))
    client.ask(PUNCH)
    client.server.close(1.0)
    client.server.close(2.0)
    assert client.server.deadline() is None
    assert client.ask(PUNCH) == []
