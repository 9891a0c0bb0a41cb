"""How others reach us: which address they see, whether strangers get through, and whether we stay.

A node starts *ephemeral* (it has no id: nobody keeps it in a table or stores with it) and
*firewalled* (it asks from a socket of its own). It stays so unless its address is the same for all
who report it and others can write to its server socket unasked; that is asked with PING_NAT, at
the start for the firewall, and after twenty quiet minutes for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from holdfast.dht.calls import Call, Done, Reply
from holdfast.dht.commands import PING_NAT
from holdfast.dht.ids import node_id, pack, unpack
from holdfast.dht.nat import Address, AddressSampler, Firewall
from holdfast.dht.table import Contact

if TYPE_CHECKING:
    from holdfast.dht.node import Node

WITNESSES = 5
"""Nodes asked to write to our server socket, as in the peers."""
ENOUGH_WITNESSES = 3
"""How many of five must get through: fewer may be luck."""
SAMPLE_AGAIN = 1800.0
"""Seconds after which a node counts again as a witness of our address."""
_Told: TypeAlias = Callable[[bool], None]
_Checked: TypeAlias = Callable[[AddressSampler | None], None]
_ANYWHERE = ("0.0.0.0", "")
NEVER_SAMPLED = -1.0


class Reach:
    """What is known of it; part of a `Node`."""

    def __init__(
        self, node: Node, local: Address, *, ephemeral: bool | None, firewalled: bool | None
    ) -> None:
        self.forced = ephemeral is False
        """The owner says that this node is there to stay."""
        self.adaptive = ephemeral is None
        self.ephemeral = not self.forced
        self.firewalled = firewalled is not False and not (self.forced and firewalled is None)
        self.sampler = AddressSampler()
        self._node = node
        self._local = local
        self._anonymous: set[bytes] = set()
        self._checking = False
        if not self.firewalled and local[0] not in _ANYWHERE:
            self.sampler.add(local, local)
        if self.forced and self.packed is not None:
            node.rebase(node_id(self.packed))

    # ---------------------------------------------------------------- what we are

    @property
    def address(self) -> Address | None:
        """Where anybody can write to us, or None when that is not so or not known."""
        host, port = self.sampler.host, self.sampler.port
        if host is None or self.firewalled or port != self._local[1]:
            return None
        return host, port

    @property
    def packed(self) -> bytes | None:
        """The same, packed."""
        address = self.address
        return None if address is None else pack(address)

    @property
    def firewall(self) -> Firewall:
        """The class of NAT before us, as far as is known."""
        if self.address is not None:
            return Firewall.OPEN
        if self.sampler.host is None:
            return Firewall.UNKNOWN
        return Firewall.CONSISTENT if self.sampler.port else Firewall.RANDOM

    def own_id(self) -> bytes | None:
        """The id to ask under: None for a node that does not stay, or does not know its address."""
        if self.ephemeral:
            return None
        packed = self.packed
        return None if packed is None else node_id(packed)

    def id_for(self, to: bytes) -> bytes | None:
        """The id to answer under, to somebody who sees us at ``to`` (packed).

        An id is the hash of an address, and a machine with several has one for each network; who
        lies about what it sees gets an id that it cannot use.
        """
        return None if self.ephemeral else node_id(to)

    # ---------------------------------------------------------------- what others see

    @property
    def wants_any_witness(self) -> bool:
        """Whether we stay but do not know where: then whoever asks tells us."""
        return not self.ephemeral and self.sampler.host is None

    def hear(self, source: bytes, to: bytes) -> None:
        """Somebody sees us at ``to``, packed."""
        before = self.address
        if self.sampler.add(unpack(to), unpack(source)):
            self._node.tell("address")
        address = self.address
        if address is not None and address != before and not self.ephemeral:
            self._node.rebase(node_id(pack(address)))

    def may_sample(self, contact: Contact) -> bool:
        """Whether a contact counts as a witness of our address: now and then."""
        sampled = contact.sampled
        return sampled == NEVER_SAMPLED or self._node.now - sampled >= SAMPLE_AGAIN

    def witness(
        self, contact: Contact | None, packed: bytes, id32: bytes | None, to: bytes
    ) -> None:
        """Somebody whom we asked, or who asked under its id, sees us at ``to``.

        Those without an id count for as many samples as there are bootstrap nodes: they cost
        nothing to make, and could outvote the others.
        """
        if id32 is None:
            room = len(self._anonymous) < max(1, len(self._node.bootstrap))
            if room and packed not in self._anonymous:
                self._anonymous.add(packed)
                self.hear(packed, to)
        elif contact is not None and self.may_sample(contact):
            contact.sampled = self._node.now
            self.hear(packed, to)

    # ---------------------------------------------------------------- finding out

    def check(self, *, firewall_only: bool, done: _Told | None = None) -> None:
        """Find out whether strangers get through; stay, if they do and it is not all we ask.

        ``done`` is told whether anything has changed for the better.
        """
        finish = done or _ignore
        host, port = self.sampler.host, self.sampler.port
        if self._checking or not self.ephemeral or host is None or not port:
            finish(False)
        elif not self.firewalled:
            self._settle(self.sampler, (host, port), firewall_only, finish)
        else:
            self._checking = True
            _Check(self._node, self, lambda seen: self._judge(seen, firewall_only, finish))

    @property
    def is_checking(self) -> bool:
        """Whether a check is under way."""
        return self._checking

    def ask_back(self, packed: bytes, done: Done) -> Call:
        """A request to a node to answer to our server socket, to be launched."""
        node = self._node
        value = self._local[1].to_bytes(2, "little")
        call = node.prepare(packed, node.frame(PING_NAT, internal=True, value=value))
        call.on_done = done
        return call

    def _judge(self, seen: AddressSampler | None, firewall_only: bool, finish: _Told) -> None:
        self._checking = False
        host, port = self.sampler.host, self.sampler.port
        if seen is None or host is None or seen.host != host or seen.port != self._local[1]:
            finish(False)
        else:
            self._settle(seen, (host, port), firewall_only, finish)

    def _settle(
        self, seen: AddressSampler, before: Address, firewall_only: bool, finish: _Told
    ) -> None:
        self.firewalled = False
        self._node.tell("open")
        if seen is not self.sampler:
            self.sampler = seen
            self._anonymous.clear()
        if seen.host is not None and seen.port:
            self._node.rebase(node_id(pack((seen.host, seen.port))))
        if not firewall_only:
            self.ephemeral = False
            self._node.tell("persistent")
        finish(True)

    def start_again(self) -> None:
        """The machine has slept, perhaps moved: what was learnt may not hold any more."""
        self._anonymous.clear()
        if self.packed is None or self._local[0] in _ANYWHERE:
            self.sampler = AddressSampler()
        if self.adaptive and not self.ephemeral:
            self.ephemeral = True
            self._node.tell("ephemeral")


class _Check:
    """Asks some nodes to write to our server socket, and counts whose words arrive there."""

    def __init__(self, node: Node, reach: Reach, done: _Checked) -> None:
        self._node = node
        self._done = done
        self._seen = AddressSampler()
        asked = [contact.packed for contact in node.table.latest(WITNESSES)]
        if len(asked) < WITNESSES:
            asked += [packed for packed in node.bootstrap if packed not in asked]
        self._needed = ENOUGH_WITNESSES if len(asked) >= WITNESSES else 1
        self._settled = min(ENOUGH_WITNESSES, len(asked))
        self._missing = len(asked)
        self._through = 0
        self._over = False
        for packed in asked:
            node.launch(reach.ask_back(packed, self._on_answer))
        if not asked:
            done(None)

    def _on_answer(self, call: Call, reply: Reply | None) -> None:
        if reply is not None and reply.socket is self._node.server:
            self._through += 1
            self._seen.add(reply.seen_as, reply.from_addr)
        self._missing -= 1
        if self._over or (self._missing and self._through < self._settled):
            return
        self._over = True
        self._done(self._seen if self._through >= self._needed else None)


def _ignore(better: bool) -> None:
    """Nobody waits for this verdict."""
