"""Who has joined which topic at a relay, and who is to be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from holdfast.net.relay.limits import RelayLimits
from holdfast.net.relay.wire import ANNOUNCE, LOOKUP

Member = TypeVar("Member")


class Topics(Generic[Member]):
    """Members of topics with their flags, in the order they joined."""

    def __init__(
        self, limits: RelayLimits, changed: Callable[[bytes, bool], object] | None = None
    ) -> None:
        """``changed(topic, announced)`` hears when somebody is to be found there, or nobody."""
        self._limits = limits
        self._changed = changed
        self._topics: dict[bytes, dict[Member, int]] = {}
        self._joined: dict[Member, set[bytes]] = {}

    def __len__(self) -> int:
        return len(self._topics)

    @property
    def announced(self) -> list[bytes]:
        """The topics on which somebody is to be found."""
        return [topic for topic, members in self._topics.items() if _announced(members)]

    def flags(self, member: Member, topic: bytes) -> int:
        """As what a member has joined a topic; 0 when it has not."""
        return self._topics.get(topic, {}).get(member, 0)

    def join(self, member: Member, topic: bytes, flags: int) -> bool:
        """Join, or change the flags; False when there are too many topics."""
        joined = self._joined.setdefault(member, set())
        if topic not in joined and len(joined) >= self._limits.topics_per_client:
            return False
        if topic not in self._topics and len(self._topics) >= self._limits.topics:
            return False
        members = self._topics.setdefault(topic, {})
        before = _announced(members)
        members.pop(member, None)  # who joins anew is the newest
        members[member] = flags
        joined.add(topic)
        self._tell(topic, before)
        return True

    def leave(self, member: Member, topic: bytes) -> None:
        """Leave; it is no matter whether it had joined."""
        members = self._topics.get(topic, {})
        before = _announced(members)
        if members.pop(member, None) is not None:
            self._joined[member].discard(topic)
            if not members:
                del self._topics[topic]
            self._tell(topic, before)

    def leave_all(self, member: Member) -> None:
        """The member is gone."""
        for topic in list(self._joined.get(member, ())):
            self.leave(member, topic)
        self._joined.pop(member, None)

    def found(self, topic: bytes, seeker: Member) -> list[Member]:
        """Whom to name to a seeker: the newest announced ones, itself left out."""
        members = self._topics.get(topic, {})
        if not members.get(seeker, 0) & LOOKUP:
            return []
        found = []
        for member in reversed(members):
            if members[member] & ANNOUNCE and member != seeker:
                found.append(member)
                if len(found) == self._limits.peers_told:
                    break
        return found

    def seekers(self, topic: bytes, announced: Member) -> Iterator[Member]:
        """Who wants to hear that somebody is to be found now."""
        members = self._topics.get(topic, {})
        if members.get(announced, 0) & ANNOUNCE:
            for member, flags in members.items():
                if flags & LOOKUP and member != announced:
                    yield member

    def _tell(self, topic: bytes, before: bool) -> None:
        after = _announced(self._topics.get(topic, {}))
        if self._changed is not None and before != after:
            self._changed(topic, after)


def _announced(members: dict[Member, int]) -> bool:
    return any(flags & ANNOUNCE for flags in members.values())
