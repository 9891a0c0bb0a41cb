"""Who carries whose handshakes: the relaying of PEER_HANDSHAKE and PEER_HOLEPUNCH.

A peer that waits for connections announces itself to the nodes nearest to the hash of its key; each
of them then forwards to it what strangers ask for under that hash, and sends its answers back. The
router decides what happens with one request; the caller carries it out:

    client --CLIENT--> relay --RELAY--> server --SERVER--> relay --REPLY--> client

Two things that peers in JavaScript do for everybody are done here only for those who belong to a
conversation, so that nobody can use this node to send packets to a third party:

* a word for a server goes to the address that announced it, or from which it has just answered;
* an answer goes to a client for whom this node has just forwarded something.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import NamedTuple, TypeVar

from holdfast.dht.handshake_messages import Handshake, Holepunch, Mode
from holdfast.dht.nat import Address
from holdfast.errors import DecodeError

MAX_FORWARDS = 16384
"""Servers that one node forwards for (about 4 MB): with 20 closest nodes to each hash, more than
that fall to one node only in a network a thousand times as large as the number of its nodes."""
FORWARDS_PER_HOST = 512
"""Of these for one host: a whole office or provider NAT, and still room for 31 others."""
FORWARD_AGE = 20 * 60.0
"""Seconds that a forward lasts; peers announce again after 5 minutes."""
MAX_CONVERSATIONS = 8192
"""Clients with a forwarded request under way (about 2 MB); the oldest make room."""
CONVERSATION_AGE = 30.0
"""Seconds in which an answer may come: a server that looks at its NAT takes some."""


_Key = TypeVar("_Key")


class Forward(NamedTuple):
    """A peer that is reached through this node."""

    relay: Address | None
    """Where its words go; None for a server on this node itself."""
    record: bytes
    """What it has announced, as others get it."""
    expires: float


class Answer(NamedTuple):
    """Send a reply."""

    value: bytes | None
    to: Address | None = None
    """Somebody else than the sender of the request."""
    closer_nodes: bool = False


class Pass(NamedTuple):
    """Send the request on, with another value and the same transaction id."""

    value: bytes
    to: Address


class Serve(NamedTuple):
    """Ask the server on this node; what it says goes to `Router.served`."""

    target: bytes
    message: Handshake | Holepunch


Decision = Answer | Pass | Serve | None


class Router:
    """The forwards of one node, and what to do with each request."""

    def __init__(self) -> None:
        self._forwards: OrderedDict[bytes, Forward] = OrderedDict()
        self._per_host: Counter[str] = Counter()
        self._servers: dict[bytes, Forward] = {}
        self._asked: OrderedDict[tuple[bytes, Address, bytes], float] = OrderedDict()
        self._answered: OrderedDict[tuple[bytes, Address], float] = OrderedDict()

    # ------------------------------------------------------------ who is reached through us

    def __len__(self) -> int:
        return len(self._forwards)

    def serve(self, target: bytes, record: bytes) -> None:
        """A server on this node waits for connections under ``target``."""
        self._servers[target] = Forward(None, record, float("inf"))

    def set(self, target: bytes, relay: Address, record: bytes, now: float) -> bool:
        """The peer at ``relay`` has announced itself (its signature was checked).

        False when its host has too many forwards already.
        """
        self.delete(target)
        if self._per_host[relay[0]] >= FORWARDS_PER_HOST:
            return False
        while len(self._forwards) >= MAX_FORWARDS:
            self.delete(next(iter(self._forwards)))
        self._forwards[target] = Forward(relay, record, now + FORWARD_AGE)
        self._per_host[relay[0]] += 1
        return True

    def get(self, target: bytes, now: float) -> Forward | None:
        """How ``target`` is reached from here."""
        own = self._servers.get(target)
        if own is not None:
            return own
        found = self._forwards.get(target)
        if found is not None and found.expires <= now:
            self.delete(target)
            return None
        return found

    def delete(self, target: bytes) -> None:
        """Forward nothing for ``target`` any more; unknown ones are ignored."""
        gone = self._forwards.pop(target, None)
        if gone is not None and gone.relay is not None:
            host = gone.relay[0]
            self._per_host[host] -= 1
            if not self._per_host[host]:
                del self._per_host[host]

    def stop_serving(self, target: bytes) -> None:
        """The server under ``target`` is closed."""
        self._servers.pop(target, None)

    # ------------------------------------------------------------ what to do with a request

    def handshake(
        self, target: bytes | None, value: bytes | None, source: Address, tid: bytes, now: float
    ) -> Decision:
        """A PEER_HANDSHAKE request has come from ``source``; None: no answer at all."""
        if target is None or value is None:
            return None
        try:
            message = Handshake.decode(value)
        except DecodeError:
            return None
        if not message.noise:
            return None
        if message.mode == Mode.SERVER:
            return self._to_client(target, message, source, tid, now)
        if target in self._servers:
            return Serve(target, message)
        forward = self.get(target, now)
        relay = forward.relay if forward is not None else None
        if message.mode == Mode.CLIENT:
            if relay is None:
                return Answer(None, closer_nodes=True)  # helps the client on its way
            self._ask(target, source, tid, now)
            return Pass(Handshake(Mode.RELAY, message.noise, source).encode(), relay)
        if message.mode == Mode.RELAY and relay is not None:
            second = Handshake(Mode.SECOND_RELAY, message.noise, message.peer_address, source)
            return Pass(second.encode(), relay)
        return None

    def holepunch(
        self, target: bytes | None, value: bytes | None, source: Address, tid: bytes, now: float
    ) -> Decision:
        """A PEER_HOLEPUNCH request has come from ``source``; None: no answer at all."""
        if target is None or value is None:
            return None
        try:
            message = Holepunch.decode(value)
        except DecodeError:
            return None
        if message.mode == Mode.SERVER:
            return self._to_client(target, message, source, tid, now)
        if message.mode == Mode.RELAY:
            known = target in self._servers and message.peer_address is not None
            return Serve(target, message) if known else None
        if message.mode != Mode.CLIENT:
            return None
        to = self._server_address(target, message.peer_address, now)
        if to is None:
            return None
        self._ask(target, source, tid, now)
        return Pass(Holepunch(Mode.RELAY, message.id, message.payload, source).encode(), to)

    def served(self, asked: Serve, said: bytes, source: Address) -> Decision:
        """What to send now that the server on this node has answered ``said``."""
        message = asked.message
        if isinstance(message, Holepunch):
            answer = Holepunch(Mode.SERVER, 0, said, message.peer_address)
            return Pass(answer.encode(), source)
        if message.mode == Mode.CLIENT:
            return Answer(Handshake(Mode.REPLY, said).encode())
        if message.mode == Mode.RELAY:
            back: Address | None = source
        else:
            back = message.relay_address if message.mode == Mode.SECOND_RELAY else None
        if back is None:
            return None
        return Pass(Handshake(Mode.SERVER, said, message.peer_address).encode(), back)

    # ------------------------------------------------------------ who belongs to a conversation

    def _to_client(
        self, target: bytes, message: Handshake | Holepunch, source: Address, tid: bytes, now: float
    ) -> Decision:
        client = message.peer_address
        if client is None or not self._was_asked(target, client, tid, now):
            return None
        _remember(self._answered, (target, source), now)
        if isinstance(message, Handshake):
            value = Handshake(Mode.REPLY, message.noise, source).encode()
        else:
            value = Holepunch(Mode.REPLY, message.id, message.payload, source).encode()
        return Answer(value, to=client)

    def _ask(self, target: bytes, client: Address, tid: bytes, now: float) -> None:
        _remember(self._asked, (target, client, tid), now)

    def _was_asked(self, target: bytes, client: Address, tid: bytes, now: float) -> bool:
        return self._asked.get((target, client, tid), 0.0) > now

    def _server_address(self, target: bytes, wanted: Address | None, now: float) -> Address | None:
        """Where a word for the server goes; the client may name the socket that it punches with."""
        forward = self.get(target, now)
        relay = forward.relay if forward is not None else None
        if wanted is None or wanted == relay:
            return relay
        return wanted if self._answered.get((target, wanted), 0.0) > now else None


def _remember(table: OrderedDict[_Key, float], key: _Key, now: float) -> None:
    table.pop(key, None)
    table[key] = now + CONVERSATION_AGE
    while len(table) > MAX_CONVERSATIONS or next(iter(table.values())) <= now:
        table.popitem(last=False)
