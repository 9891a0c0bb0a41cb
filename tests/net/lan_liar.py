"""Somebody on the network who sends mDNS answers that nobody asked for; run in a namespace.

``flood COUNT``: as many services with keys, tags and names that mean nothing. ``pose KEY TOPIC HOST
PORT``: one that has another node's public key (hex) and topic (a word), at an address of its
choice. ``listen``: writes each packet as a line of JSON, without saying anything. The last word is
always the address to speak from.
"""

from __future__ import annotations

import json
import os
import random
import socket
import sys

from zeroconf import DNSAddress, DNSOutgoing, DNSPointer, DNSService, DNSText

from holdfast.crypto import blake2b
from holdfast.net.near.lan_records import PLACE, SERVICE
from holdfast.net.near.tags import TAG_BYTES, tag

RESPONSE, IN, FLUSH = 0x8400, 1, 0x8001
A, PTR, TXT, SRV = 1, 12, 16, 33
GROUP = ("224.0.0.251", 5353)


def packet(key: bytes, tags: bytes, host: str, port: int) -> bytes:
    """A complete announcement."""
    name = f"{random.getrandbits(64):016x}.{SERVICE}"
    server = f"{random.getrandbits(64):016x}.local."
    strings = [b"v=1", b"k=" + key, b"t0=" + tags]
    text = b"".join(bytes((len(each),)) + each for each in strings)
    out = DNSOutgoing(RESPONSE)
    out.add_answer_at_time(DNSPointer(SERVICE, PTR, IN, 4500, name), 0)
    out.add_answer_at_time(DNSService(name, SRV, FLUSH, 120, 0, 0, port, server), 0)
    out.add_answer_at_time(DNSText(name, TXT, FLUSH, 4500, text), 0)
    out.add_answer_at_time(DNSAddress(server, A, FLUSH, 120, socket.inet_aton(host)), 0)
    (made,) = out.packets()
    return bytes(made)


def listen(own: str) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(GROUP)
    member = socket.inet_aton(GROUP[0]) + socket.inet_aton(own)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    print(json.dumps({"ready": own}), flush=True)
    while True:
        data, (host, _) = sock.recvfrom(9000)
        kind = "answer" if data[2] & 0x80 else "question"
        print(json.dumps({"kind": kind, "from": host, "data": data.hex()}), flush=True)


def main(verb: str, *words: str) -> None:
    own = words[-1]
    if verb == "listen":
        listen(own)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
    sock.bind((own, 0))
    if verb == "flood":
        for number in range(int(words[0])):
            key, tags = os.urandom(32), os.urandom(20 * TAG_BYTES)
            sock.sendto(packet(key, tags, "10.77.0.2", 1 + number % 60000), GROUP)
    else:
        key, topic = bytes.fromhex(words[0]), blake2b(words[1].encode())
        sock.sendto(packet(key, tag(PLACE, key, topic), words[2], int(words[3])), GROUP)


if __name__ == "__main__":
    main(*sys.argv[1:])
