"""Two multiplexers and the messages between them."""

from __future__ import annotations

from collections import deque

from holdfast.wire import Channel, Mux


class Side:
    """A multiplexer that writes down what happens on it."""

    def __init__(self, answers: dict[str, str] | None = None) -> None:
        """``answers``: by protocol, what opens nobody waits for get: open, later or refuse."""
        self.answers = answers or {}
        self.mux = Mux(notify=self._notify, wake=self._wake)
        self.asked: list[tuple[str, bytes]] = []
        self.made: list[Recorder] = []
        self.wakes = 0
        self.wire: deque[bytes] = deque()
        """Messages on their way to the other side."""

    def _wake(self) -> None:
        self.wakes += 1

    def _notify(self, protocol: str, id: bytes) -> bool:
        self.asked.append((protocol, id))
        answer = self.answers.get(protocol, "refuse")
        if answer == "open":
            self.channel(protocol, id).open(b"answer")
        return answer == "later"

    def channel(self, protocol: str = "p", id: bytes = b"") -> Recorder:
        """A new channel whose events are written down."""
        self.made.append(Recorder(self.mux, protocol, id))
        return self.made[-1]

    def flush(self) -> list[bytes]:
        """Put what there is to send on the wire; returns it."""
        messages = [b"".join(parts) for parts in self.mux.to_send()]
        self.wire.extend(messages)
        return messages


class Recorder:
    """A channel and what has happened to it."""

    def __init__(self, mux: Mux, protocol: str, id: bytes) -> None:
        self.got: list[tuple[int, bytes]] = []
        self.sent: list[tuple[int, bytes]] = []
        self.handshakes: list[bytes] = []
        self.closes: list[bool] = []
        self.drains = 0
        self.channel: Channel = mux.channel(
            protocol,
            id,
            handlers=[
                lambda body, type=type: self.got.append((type, bytes(body))) for type in range(3)
            ],  # type: ignore[misc]
            on_open=lambda handshake: self.handshakes.append(bytes(handshake)),
            on_close=self.closes.append,
            on_drain=self._drain,
        )

    def _drain(self) -> None:
        self.drains += 1

    def open(self, handshake: bytes = b"") -> Recorder:
        """Open it, and go on."""
        self.channel.open(handshake)
        return self

    def send(self, type: int, body: bytes) -> bool:
        """Send, and write down what could be sent."""
        done = self.channel.send(type, body)
        if done:
            self.sent.append((type, body))
        return done


def settle(one: Side, two: Side) -> None:
    """Carry messages until both are quiet."""
    while one.flush() or two.flush() or one.wire or two.wire:
        while one.wire:
            two.mux.receive(one.wire.popleft())
        while two.wire:
            one.mux.receive(two.wire.popleft())
