"""Finding one's place in the network: the first walk, the firewall on the way, and trying again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from holdfast.dht.calls import Call, Reply
from holdfast.dht.query import Query

if TYPE_CHECKING:
    from holdfast.dht.node import Node

_Then: TypeAlias = Callable[[bool], None]

SLOWEST_RETRY = 8
"""Looks (of 5 s) between attempts to reach a bootstrap node; the first ones come sooner."""
LEAST_WAIT = 0.05
"""Seconds that a word to our other socket may take at the least, on a busy machine."""
USUAL_WAIT = 4
"""The same in round trips of the node that sends it."""


class Joining:
    """First contact; part of a `Node`."""

    def __init__(self, node: Node) -> None:
        self.joined = False
        """The first walk has come to an end, and somebody has answered."""
        self.answered = False
        """Somebody has ever answered."""
        self._node = node
        self._walking = False
        self._walked: bool | None = None
        """How the first walk ended."""
        self._asked = False
        """Somebody was asked to write to our server socket."""
        self._pending = False
        """That word may still come soon."""
        self._moved = False
        """The first walk went to a place that is not ours any more."""
        self._retry = self._until_retry = 1

    def start(self) -> None:
        """Look for our own place; "bootstrapped" or "unreachable" follows."""
        if not self._node.bootstrap and not len(self._node.table):
            self._finish(True)
        else:
            self._walk_home(self._on_walked, on_reply=self._try_firewall)

    def try_again(self) -> None:
        """Nobody is known (any more): ask the bootstrap nodes, ever more rarely."""
        self._until_retry -= 1
        if self._until_retry <= 0:
            self._retry = self._until_retry = min(2 * self._retry, SLOWEST_RETRY)
            self._walk_home(self._on_found)

    def walk_again(self, better: bool = True) -> None:
        """Our place has changed: get to know the nodes around it."""
        if better:
            self._walk_home(_ignore)

    def _walk_home(self, then: _Then, on_reply: Callable[[Reply], None] | None = None) -> None:
        def done(query: Query) -> None:
            self._walking = False
            self.answered = self.answered or query.replies > 0
            then(query.replies > 0)

        if not self._walking and not self._node.is_busy():
            self._walking = True
            self._node.find_node(self._node.table.id, on_reply=on_reply, on_done=done)

    def _try_firewall(self, reply: Reply) -> None:
        """Have the first who answers write to our server socket.

        Behind a firewall that word never comes: it is waited for no longer than is usual.
        """
        if self._asked or not self._node.reach.firewalled:
            return
        self._asked = self._pending = True
        call = self._node.reach.ask_back(reply.packed, self._on_word)
        call.patience = max(LEAST_WAIT, USUAL_WAIT * reply.rtt)
        call.on_slow = self._on_late_word
        self._node.launch(call)

    def _on_word(self, call: Call, word: Reply | None) -> None:
        self._pending = False
        if word is None or word.socket is not self._node.server:
            self._settle()
        else:
            self._node.reach.check(firewall_only=True, done=self._on_checked)

    def _on_late_word(self, call: Call) -> None:
        self._pending = False
        self._settle()

    def _on_checked(self, better: bool) -> None:
        self._moved = better
        if self._walked is not None:
            self.walk_again(better)
        self._settle()

    def _on_walked(self, answered: bool) -> None:
        self._walked = answered
        self.walk_again(self._moved)
        self._settle()

    def _settle(self) -> None:
        waiting = self._pending or self._node.reach.is_checking
        if self._walked is not None and not waiting and not self.joined:
            self._finish(self._walked)

    def _on_found(self, answered: bool) -> None:
        if answered and not self.joined:
            self._finish(True)
            self._node.reach.check(firewall_only=True, done=self.walk_again)

    def _finish(self, answered: bool) -> None:
        if answered:
            self.joined = True
            self._retry = self._until_retry = 1
        self._node.tell("bootstrapped" if answered else "unreachable")


def _ignore(answered: bool) -> None:
    """Nobody waits for this walk."""
