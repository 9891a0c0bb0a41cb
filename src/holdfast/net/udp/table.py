"""The UDX streams of one node, by the ids that packets for them carry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.net.udp.socket import UdpSocket
    from holdfast.net.udp.transport import UdxTransport


class StreamTable:
    """The streams of one node by their local ids, whatever sockets they use."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._streams: dict[int, UdxTransport] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def get(self, local_id: int) -> UdxTransport | None:
        """The stream of that id."""
        return self._streams.get(local_id)

    def free_id(self) -> int:
        """A random id that nobody uses: hard to guess for those who do not see our packets."""
        while True:
            local_id = int.from_bytes(self._random(4), "little")
            if local_id and local_id not in self._streams:
                return local_id

    def add(self, stream: UdxTransport) -> None:
        """Let packets reach it. ValueError when its id is taken."""
        if stream.id in self._streams:
            raise ValueError(f"stream id {stream.id} is taken")
        self._streams[stream.id] = stream

    def remove(self, stream: UdxTransport) -> None:
        """Packets for it are unknown from now on."""
        self._streams.pop(stream.id, None)

    def on_socket(self, socket: UdpSocket) -> list[UdxTransport]:
        """The streams that send through a socket."""
        return [stream for stream in self._streams.values() if stream.socket is socket]

    def abort_all(self) -> None:
        """End every stream, those that were never connected too."""
        for stream in list(self._streams.values()):
            stream.abort()
