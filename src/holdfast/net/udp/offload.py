"""A bound UDP socket that sends and takes many datagrams with one call where the kernel can.

Linux takes a row of equal datagrams with one call (UDP_SEGMENT) and hands over such rows
(UDP_GRO); elsewhere, or when a device refuses, they go one by one.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from contextlib import suppress

from holdfast.udx import Addr, Buffer, Burst

BUFFER = 4 * 1024 * 1024
"""Bytes asked of the kernel in each direction: a receive window. It gives what it allows."""
MAX_DATAGRAMS = 64 * 1024
"""Bytes that one call can return, whole rows included."""
BASE = 1200 - 28
"""Bytes of a datagram that has to pass, in pieces if need be."""
REFUSALS = 8
"""Rows that may be refused before we stop trying: single ones are refused for other reasons."""

_LINUX = sys.platform == "linux"
_SOL_UDP, _UDP_SEGMENT, _UDP_GRO = 17, 103, 104  # linux/udp.h; Python has no names for them
_MTU_DISCOVER = {socket.AF_INET: (socket.IPPROTO_IP, 10), socket.AF_INET6: (41, 23)}
_DONT, _PROBE = 0, 3  # linux/in.h: may be split; never split, whatever ICMP says
_SIZE = struct.Struct("=H")
_GRO_SIZE = struct.Struct("=i")
_ANCILLARY = socket.CMSG_SPACE(4) if _LINUX else 0


class Datagrams:
    """The socket itself; errors of single datagrams are not errors, UDP may lose them."""

    def __init__(self, host: str, port: int) -> None:
        """Raises `OSError` when the address cannot be bound."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind((host, port))
        except BaseException:
            sock.close()
            raise
        self.family = family
        self.sends_rows = self._set(_SOL_UDP, _UDP_SEGMENT, 0)
        """Whether rows of datagrams leave with one call."""
        self.takes_rows = self._set(_SOL_UDP, _UDP_GRO, 1)
        """Whether they arrive with one."""
        self.dropped = 0
        """Datagrams that the kernel did not take."""
        self._refused = 0
        self._splits = not self._set(*_MTU_DISCOVER[family], _PROBE)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)

    def _set(self, level: int, option: int, value: int) -> bool:
        if not _LINUX:
            return False
        try:
            self.socket.setsockopt(level, option, value)
        except OSError:
            return False
        return True

    def receive_into(self, buffer: bytearray) -> tuple[int, int, Addr]:
        """(bytes, size of each datagram in them, from where); BlockingIOError when none is left."""
        if not self.takes_rows:
            size, addr = self.socket.recvfrom_into(buffer)
            return size, size, addr[:2]
        size, ancillary, _, addr = self.socket.recvmsg_into((buffer,), _ANCILLARY)
        if ancillary:
            for level, kind, data in ancillary:
                if level == _SOL_UDP and kind == _UDP_GRO and len(data) >= _GRO_SIZE.size:
                    return size, _GRO_SIZE.unpack_from(data)[0], addr[:2]
        return size, size, addr[:2]

    def send(self, data: Buffer, addr: Addr, ttl: int | None = None) -> None:
        """One datagram; dropped when the kernel has no room."""
        try:
            if ttl is None:
                self.socket.sendto(data, addr)
            else:
                self._send_with_ttl(data, addr, ttl)
        except OSError as error:
            if error.errno == errno.EMSGSIZE and not self._splits:
                self._send_split(data, addr)
            else:
                self.dropped += 1

    def send_burst(self, burst: Burst) -> Burst | None:
        """Datagrams of one size; what the kernel has no room for now is handed back."""
        data, size, addr, fragment = burst
        if fragment and not self._splits:
            for datagram in burst.datagrams():
                self._send_split(datagram, addr)
            return None
        if len(data) > size and self.sends_rows:
            try:
                ancillary = [(_SOL_UDP, _UDP_SEGMENT, _SIZE.pack(size))]
                self.socket.sendmsg((data,), ancillary, 0, addr)
                return None
            except BlockingIOError:
                return burst
            except OSError as error:
                self._refused += 1
                if error.errno == errno.EIO or self._refused >= REFUSALS:
                    self.sends_rows = False
        return self._send_singly(burst)

    def _send_singly(self, burst: Burst) -> Burst | None:
        sent = 0
        for datagram in burst.datagrams():
            try:
                self.socket.sendto(datagram, burst.addr)
            except BlockingIOError:
                return burst._replace(data=burst.data[sent:])
            except OSError as error:
                if error.errno == errno.EMSGSIZE and burst.size <= BASE:
                    self._send_split(datagram, burst.addr)  # larger ones are there to find out
                else:
                    self.dropped += 1
            sent += burst.size
        return None

    def _send_split(self, data: Buffer, addr: Addr) -> None:
        level, option = _MTU_DISCOVER[self.family]
        try:
            self.socket.setsockopt(level, option, _DONT)
            self.socket.sendto(data, addr)
        except OSError:
            self.dropped += 1
        finally:
            self._set(level, option, _PROBE)

    def _send_with_ttl(self, data: Buffer, addr: Addr, ttl: int) -> None:
        if self.family == socket.AF_INET6:
            level, option = socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS
        else:
            level, option = socket.IPPROTO_IP, socket.IP_TTL
        usual = self.socket.getsockopt(level, option)
        self.socket.setsockopt(level, option, ttl)
        try:
            self.socket.sendto(data, addr)
        finally:
            self.socket.setsockopt(level, option, usual)
