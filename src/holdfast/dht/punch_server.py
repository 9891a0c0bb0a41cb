"""The waiting side's part of the talk about hole punching; see `punch_client`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from holdfast.dht.handshake_messages import PeerError
from holdfast.dht.nat import Address, Firewall, NatSamples
from holdfast.dht.punch_client import SAMPLING_TIME, Reopened
from holdfast.dht.puncher import Puncher, RandomBudget
from holdfast.dht.secure_payload import PunchNote, SecurePayload
from holdfast.errors import DecodeError

MAX_QUESTIONS = 4
"""Questions that wait for our NAT to be judged: a client repeats one three times."""
FIRST_WORD_TIME = 10.0
"""Seconds in which a client must begin to talk about punching."""

Tag = TypeVar("Tag")


class Say(NamedTuple, Generic[Tag]):
    """The answer to the question that was handed in with ``tag``; sent from a socket."""

    tag: Tag
    sealed: bytes
    socket: int


class GaveUp(NamedTuple):
    """This client will not be reached by punching."""


class _Question(NamedTuple, Generic[Tag]):
    note: PunchNote
    peer: Address
    from_our_relay: bool
    tag: Tag


class PunchServer(Generic[Tag]):
    """One client's attempt to reach us."""

    def __init__(
        self,
        payload: SecurePayload,
        *,
        nat: NatSamples,
        remote_firewall: Firewall,
        budget: RandomBudget,
        below: Callable[[int], int],
        now: float,
    ) -> None:
        """``nat`` is about our socket 0, which may be one that is in use for other things."""
        self._payload = payload
        self._budget = budget
        self.puncher = Puncher(
            False, nat=nat, budget=budget, below=below, remote_firewall=remote_firewall
        )
        self._round = 0
        self._questions: deque[_Question[Tag]] = deque()
        self._events: list[Say[Tag] | Reopened | GaveUp] = []
        self._until: float | None = now + FIRST_WORD_TIME
        self._over = False

    @property
    def expects(self) -> set[str]:
        """Hosts from which probes may come."""
        return self.puncher.verified | {host for host, _ in self.puncher.remote_addresses}

    # ------------------------------------------------------------ in

    def asked(
        self, sealed: bytes, *, peer: Address, from_our_relay: bool, tag: Tag, now: float
    ) -> bool:
        """A question has come from the client that a relay sees at ``peer``.

        False when it does not open: not from this client.
        """
        try:
            note = self._payload.open(sealed)
        except DecodeError:
            return False
        if self._over or len(self._questions) >= MAX_QUESTIONS:
            return True
        if note.error != PeerError.NONE:
            self._abort(tag)
            self._give_up(now)
            return True
        echoed = from_our_relay and note.remote_token == self._payload.token(peer)
        if note.round >= self._round:
            self._round = note.round
            self.puncher.update_remote(
                firewall=note.firewall,
                punching=note.punching,
                addresses=note.addresses,
                verified=peer[0] if echoed else None,
            )
        self._questions.append(_Question(note, peer, from_our_relay, tag))
        self._until = now + SAMPLING_TIME
        self._look(now)
        return True

    def sampled(self, socket: int, seen_as: Address, source: Address, now: float) -> None:
        """A DHT node has seen a socket of ours."""
        if socket == self.puncher.first_socket:
            self.puncher.nat.add(seen_as, source)
            self._look(now)

    def sampling_over(self, socket: int, now: float) -> None:
        """No more samples of this socket will come."""
        if socket == self.puncher.first_socket:
            self.puncher.nat.give_up()
            self._look(now)

    def receive_probe(self, socket: int, source: Address, now: float) -> None:
        """A probe has arrived on a socket of ours."""
        self.puncher.receive(socket, source, now)

    # ------------------------------------------------------------ out

    def events(self) -> list[Say[Tag] | Reopened | GaveUp]:
        """What to do now, in order."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """When `on_deadline` wants to be called next; None for never."""
        times = [time for time in (self._until, self.puncher.deadline()) if time is not None]
        return min(times, default=None)

    def on_deadline(self, now: float) -> None:
        """Time has passed."""
        self.puncher.on_deadline(now)
        if self.puncher.closed and not self._over:
            self._give_up(now)
        elif self._until is not None and now >= self._until:
            self._until = None
            if self._questions:
                self.puncher.nat.give_up()
                self._look(now)
            elif not self.puncher.punching:
                self._give_up(now)

    def close(self, now: float) -> None:
        """The stream is connected, or the server closes. Idempotent."""
        self._over, self._until = True, None
        self._questions.clear()
        self.puncher.close(now)

    # ------------------------------------------------------------ the talk

    def _look(self, now: float) -> None:
        """Answer what waits, once our NAT is judged."""
        puncher = self.puncher
        while self._questions and puncher.nat.settled and not self._over:
            if puncher.unstable and not puncher.remote_punching:
                if puncher.reopen(NatSamples()):
                    self._until = now + SAMPLING_TIME
                    self._events.append(Reopened(puncher.first_socket))
                else:
                    self._abort(self._questions.popleft().tag)
                    self._give_up(now)
                return
            self._answer(self._questions.popleft(), now)
        if not self._questions and not self._over and not puncher.punching:
            self._until = now + FIRST_WORD_TIME

    def _answer(self, question: _Question[Tag], now: float) -> None:
        puncher, note = self.puncher, question.note
        nat = puncher.nat
        steady = nat.firewall in (Firewall.OPEN, Firewall.CONSISTENT)
        if steady and note.remote_address in (nat.addresses or ()):
            puncher.ping(question.peer)  # it has opened its NAT for us: this may be all it takes
        if puncher.remote_punching:
            if puncher.random and not puncher.punching and not self._budget.free(now):
                self._abort(question.tag, PeerError.TRY_LATER)
                self._give_up(now)
                return
            if not puncher.punch(now):
                self._abort(question.tag)
                self._give_up(now)
                return
            self._until = None
        if nat.firewall != Firewall.UNKNOWN:
            nat.freeze()
        answer = PunchNote(
            firewall=nat.firewall,
            round=self._round,
            punching=puncher.punching,
            addresses=nat.addresses,
            token=self._payload.token(question.peer) if question.from_our_relay else None,
            remote_token=note.token,
        )
        sealed = self._payload.seal(answer)
        self._events.append(Say(question.tag, sealed, puncher.first_socket))

    def _abort(self, tag: Tag, error: PeerError = PeerError.ABORTED) -> None:
        sealed = self._payload.seal(PunchNote(error=error, round=self._round))
        self._events.append(Say(tag, sealed, self.puncher.first_socket))

    def _give_up(self, now: float) -> None:
        self.close(now)
        self._events.append(GaveUp())
