"""The dialling side's part of the talk about hole punching.

It goes in rounds, each a question that relays carry to the server and its answer back. In the
first both tell what they know of their NATs, in the last that they punch now. Pure: the owner sends
what `events` says, and hands in answers, probes, and what DHT nodes see of the sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from holdfast.dht.handshake_messages import PeerError
from holdfast.dht.nat import Address, Firewall, NatSamples
from holdfast.dht.noise_payload import Relay
from holdfast.dht.puncher import Puncher, RandomBudget
from holdfast.dht.secure_payload import PunchNote, SecurePayload
from holdfast.errors import DecodeError

UNDECIDED_PAUSE = 1.0
"""Seconds for the other side to find out what its NAT is."""
SAMPLING_TIME = 3.0
"""Seconds for DHT nodes to say what they see of a socket: one lost packet and its repetition."""
ROUND_TIME = 12.0
"""Seconds for one question and its answer, repetitions and the server's own sampling included."""


class Ask(NamedTuple):
    """Send a PEER_HOLEPUNCH request to ``relay`` for the server at ``peer``; sent from a socket."""

    sealed: bytes
    peer: Address
    relay: Address
    socket: int


class Reopened(NamedTuple):
    """The sockets below ``first`` are of no use any more; sample the NAT of ``first``."""

    first: int


class Failed(NamedTuple):
    """It cannot be done, and why."""

    reason: str


class Met(NamedTuple):
    """A probe has come through: connect the stream from this socket."""

    socket: int
    address: Address


class PunchClient:
    """One attempt to reach a server behind a NAT."""

    def __init__(
        self,
        payload: SecurePayload,
        *,
        server: Address,
        relay: Address,
        server_relays: list[Relay],
        remote_firewall: Firewall,
        budget: RandomBudget,
        below: Callable[[int], int],
        firewalled: bool,
        now: float,
    ) -> None:
        """``relay`` has carried the handshake and sees the server at ``server``.

        ``server_relays`` (at least one) are those that the server has named.
        """
        self._payload = payload
        self._server = server
        self._relay = relay
        self._theirs = next(
            (each for each in server_relays if each.relay_address == relay), server_relays[0]
        )
        self._budget = budget
        self._firewalled = firewalled
        self.puncher = Puncher(
            True,
            nat=NatSamples(firewalled=firewalled),
            budget=budget,
            below=below,
            remote_firewall=remote_firewall,
        )
        self._round = 0
        self._token: bytes | None = None
        self._peer = server
        self._asked_twice = False
        self._moved = False
        self._state = "asking"
        self._until: float | None = None
        self._events: list[Ask | Reopened | Failed | Met] = []
        self.puncher.open_session(server)
        self._probe_round(now)

    # ------------------------------------------------------------ in

    def answered(
        self, sealed: bytes, *, seen_as: Address, source: Address, peer: Address, now: float
    ) -> None:
        """The answer to the last `Ask`, from the relay ``source``.

        It has seen our socket as ``seen_as``, and sees the server at ``peer``.
        """
        if self._state not in ("asking", "announcing"):
            return
        try:
            note = self._payload.open(sealed)
        except DecodeError:
            self._fail("The other side's answer about hole punching does not open.", now)
            return
        if note.error == PeerError.TRY_LATER:
            self._fail("The other side has as many difficult connections to make as it may.", now)
        elif note.error != PeerError.NONE:
            self._fail("The other side gave up hole punching.", now)
        else:
            self._take(note, seen_as, source, peer, now)

    def ask_failed(self, now: float) -> None:
        """No answer to the last `Ask`."""
        if self._state in ("asking", "announcing"):
            self._fail("The relay or the other side did not answer about hole punching.", now)

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
        if self.puncher.connected is not None and self._state != "over":
            self._state, self._until = "over", None
            self._events.append(Met(*self.puncher.connected))

    # ------------------------------------------------------------ out

    def events(self) -> list[Ask | Reopened | Failed | Met]:
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
        if self._state == "punching" and self.puncher.closed:
            self._fail("No probe came through within the time that NATs allow.", now)
        elif self._until is not None and now >= self._until:
            self._until = None
            if self._state == "sampling":
                self.puncher.nat.give_up()
                self._look(now)
            elif self._state == "pausing":
                self._analyse(now)
            else:
                self.ask_failed(now)

    def close(self, now: float) -> None:
        """Another way was faster, or nobody waits any more. Idempotent."""
        self._state, self._until = "over", None
        self.puncher.close(now)

    # ------------------------------------------------------------ the talk

    def _ask(self, note: PunchNote, peer: Address, relay: Address, state: str, now: float) -> None:
        self._state, self._until = state, now + ROUND_TIME
        self._round += 1
        sealed = self._payload.seal(note)
        self._events.append(Ask(sealed, peer, relay, self.puncher.first_socket))

    def _probe_round(self, now: float) -> None:
        """Ask how the server stands, through the relay that it has chosen."""
        nat = self.puncher.nat
        note = PunchNote(
            firewall=nat.firewall,
            round=self._round,
            addresses=nat.addresses,
            remote_address=self._server,
        )
        relay, peer = self._theirs
        self._moved = False
        self._ask(note, peer, relay, "asking", now)

    def _take(
        self, note: PunchNote, seen_as: Address, source: Address, peer: Address, now: float
    ) -> None:
        announcing = self._state == "announcing"
        asked_at = self._server if announcing else self._theirs.peer_address
        ours = self._payload.token(self._server)
        echoed = announcing and note.remote_token == ours
        self.puncher.update_remote(
            firewall=note.firewall,
            punching=note.punching,
            addresses=note.addresses,
            verified=asked_at[0] if echoed else None,
        )
        if announcing:
            self._start(now)
            return
        self._token, self._peer = note.token, peer
        self.puncher.nat.add(seen_as, source)
        if self.puncher.remote_firewall == Firewall.UNKNOWN:
            self._state, self._until = "pausing", now + UNDECIDED_PAUSE
        else:
            self._analyse(now)

    def _analyse(self, now: float) -> None:
        """Both have spoken: is our own NAT clear?"""
        self._state, self._until = "sampling", now + SAMPLING_TIME
        self._look(now)

    def _look(self, now: float) -> None:
        puncher = self.puncher
        if self._state != "sampling" or not puncher.nat.settled:
            return
        if puncher.unstable and puncher.reopen(NatSamples(firewalled=self._firewalled)):
            self._events.append(Reopened(puncher.first_socket))
            self._moved = True
            self._analyse(now)
        elif self._moved and not puncher.unstable:
            # The server knows nothing of the new socket yet.
            self._asked_twice = True
            puncher.open_session(self._server)
            self._probe_round(now)
        else:
            self._conclude(now)

    def _conclude(self, now: float) -> None:
        theirs, ours = self.puncher.remote_firewall, self.puncher.nat.firewall
        if (theirs == Firewall.UNKNOWN or self._token is None) and not self._asked_twice:
            self._asked_twice = True
            self._probe_round(now)
        elif Firewall.UNKNOWN in (theirs, ours):
            self._abort("What kind of NATs are in between could not be found out in time.", now)
        elif theirs == ours == Firewall.RANDOM:
            self._abort("Both sides are behind NATs that change ports all the time.", now)
        else:
            self._announce(now)

    def _announce(self, now: float) -> None:
        """Say that we punch, under the address that the handshake went to: that proves it."""
        puncher = self.puncher
        if self._theirs.relay_address == self._relay and self._peer != self._server:
            self._server = self._peer  # it has changed its socket in the meantime
            puncher.open_session(self._server)
        puncher.nat.freeze()
        if puncher.random and not self._budget.free(now):
            self._abort("This node has as many difficult connections to make as it may.", now)
            return
        note = PunchNote(
            firewall=puncher.nat.firewall,
            round=self._round,
            punching=True,
            addresses=puncher.nat.addresses,
            token=self._payload.token(self._server),
            remote_token=self._token,
        )
        self._ask(note, self._server, self._relay, "announcing", now)

    def _start(self, now: float) -> None:
        self._state, self._until = "punching", None
        if not self.puncher.remote_punching:
            self._fail("The other side does not punch.", now)
        elif not self.puncher.punch(now):
            self._fail("The NATs in between leave no way to punch through.", now)

    def _abort(self, reason: str, now: float) -> None:
        """Give up, and let the server know: it need not wait."""
        note = PunchNote(error=PeerError.ABORTED, round=self._round)
        relay, peer = self._theirs
        self._ask(note, peer, relay, "aborting", now)
        self._fail(reason, now)

    def _fail(self, reason: str, now: float) -> None:
        self.close(now)
        self._events.append(Failed(reason))
