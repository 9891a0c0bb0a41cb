"""Sends first handshake messages to a server from many addresses, each with keys of its own.

`flood KEY HOST PORT COUNT SOURCE...`: the messages are valid, so each costs the server all that a
stranger's message can cost.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time

from holdfast.crypto import blake2b, key_pair
from holdfast.dht.commands import PEER_HANDSHAKE
from holdfast.dht.handshake import PeerHandshake
from holdfast.dht.handshake_messages import Handshake, Mode
from holdfast.dht.ids import pack
from holdfast.dht.noise_payload import NoisePayload, UdxInfo
from holdfast.dht.packet import Frame

GAP = 0.0005
"""Seconds between two: 10,000 in at least five seconds, more than a second's allowance."""


def packet(server: bytes, target: bytes, to: bytes) -> bytes:
    """One datagram that nobody has sent before."""
    noise = PeerHandshake(key_pair(), server).write(NoisePayload(udx=UdxInfo(7)))
    value = Handshake(Mode.CLIENT, noise).encode()
    return Frame(PEER_HANDSHAKE, target=target, value=value).encode(os.urandom(2), to)


def main(key: str, host: str, port: str, count: str, *sources: str) -> None:
    """Send them all, the sources taking turns; says how many answers and bytes there were."""
    server, address = bytes.fromhex(key), (host, int(port))
    target, to = blake2b(server), pack(address)
    sockets = []
    for source in sources:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((source, 0))
        made.setblocking(False)
        sockets.append(made)
    print(json.dumps({"event": "ready"}), flush=True)
    sent = 0
    for number in range(int(count)):
        data = packet(server, target, to)
        sent += sockets[number % len(sockets)].sendto(data, address)
        time.sleep(GAP)
    time.sleep(1.0)
    answers = [answer for made in sockets for answer in _all(made)]
    print(json.dumps({"event": "flooded", "sent": sent, "back": sum(answers), "n": len(answers)}))


def _all(made: socket.socket) -> list[int]:
    sizes = []
    while True:
        try:
            sizes.append(len(made.recv(2000)))
        except BlockingIOError:
            return sizes


if __name__ == "__main__":
    main(*sys.argv[1:])
