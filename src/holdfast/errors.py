"""Every error Holdfast raises, as one tree.

Each class carries data a program can act on (``code``, ``exit_code``) and words a person can act on
(one sentence, and a ``hint`` that says what to do next). The command line, the JSON output and the
Python API all render the same object.

* HoldfastError
    * LocalError            the caller asked for something that cannot be
        * LinkError         a link or key that cannot be read
        * PathError         a name or path that is refused
        * NotFoundError     nothing under that name
        * NotWritableError  somebody else's log or drive
        * PassphraseError   the store is sealed and the passphrase does not open it
        * SeekError         a position outside the log
        * AddressError      text that is not HOST:PORT, or an address that leads back here
        * ListenError       an address that cannot be listened on
    * RemoteError           the other side broke the protocol or lied
        * DecodeError       bytes that are not a valid message
        * InvalidProof      a block, node or signature that does not verify
        * HandshakeError    the encrypted channel could not be agreed
        * NotAllowedError   a public key that may not connect
    * UnavailableError      nobody reachable has it (now)
        * PeerUnreachable   an address that does not answer
        * BlockNotAvailable a block that is neither here nor with a connected peer
    * StoreError            the directory on disk
        * StoreBusyError    another process holds it
        * StoreVersionError a newer format, or not a store
        * DiskFullError     no space left
        * DamagedError      bytes on disk that fail their checks
        * StaleWriterError  an older copy of a writer: appending could fork the log
    * ClosedError           used after close()
    * ConflictError         two signed heads for one length: the log is frozen
"""

from __future__ import annotations


class HoldfastError(Exception):
    """Root of the tree; ``code`` is stable, ``exit_code`` a status, ``hint`` may be ''."""

    code = "error"
    exit_code = 1
    default_hint = ""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint

    def as_dict(self) -> dict[str, str]:
        """The documented JSON shape of an error event."""
        return {"event": "error", "code": self.code, "message": self.message, "hint": self.hint}


class LocalError(HoldfastError):
    """The caller asked for something that cannot be."""

    code = "usage"
    exit_code = 2


class LinkError(LocalError):
    """A link or key that cannot be read."""

    code = "bad-link"
    exit_code = 3
    default_hint = "Copy the whole link again from where it was shared."


class PathError(LocalError):
    """A name or path that is refused because it could escape or confuse."""

    code = "bad-path"
    exit_code = 4


class NotFoundError(LocalError):
    """Nothing under that name."""

    code = "not-found"
    exit_code = 5


class NotWritableError(LocalError):
    """Only the owner of a log can change it."""

    code = "not-writable"
    exit_code = 6
    default_hint = (
        "Only the machine that made it can change it; copy the files into a drive of your own."
    )


class PassphraseError(LocalError):
    """The store is sealed and the passphrase given does not open it."""

    code = "wrong-passphrase"
    exit_code = 7


class SeekError(LocalError):
    """A position outside the log."""

    code = "out-of-range"
    exit_code = 8


class AddressError(LocalError):
    """Text that is not HOST:PORT, or an address that leads back to this node."""

    code = "bad-address"
    exit_code = 9
    default_hint = "Write it as HOST:PORT, for example 192.168.1.5:49737 or [::1]:49737."


class ListenError(LocalError):
    """An address that cannot be listened on."""

    code = "cannot-listen"
    exit_code = 10


class RemoteError(HoldfastError):
    """The other side broke the protocol or lied; the connection is not worth keeping."""

    code = "bad-peer"
    exit_code = 20


class DecodeError(RemoteError):
    """Bytes that are not a valid message."""

    code = "bad-message"


class InvalidProof(RemoteError):
    """A block, node or signature that does not verify against the signed tree."""

    code = "bad-proof"


class HandshakeError(RemoteError):
    """The encrypted channel could not be agreed."""

    code = "handshake-failed"


class NotAllowedError(RemoteError):
    """A public key that may not connect."""

    code = "not-allowed"
    exit_code = 21


class UnavailableError(HoldfastError):
    """Nobody reachable has it now; trying again later can work."""

    code = "unavailable"
    exit_code = 30


class PeerUnreachable(UnavailableError):
    """An address that does not answer."""

    code = "unreachable"
    exit_code = 31
    default_hint = (
        "Check that the sharing side is still running and that the address and port are right."
    )


class BlockNotAvailable(UnavailableError):
    """A block that is neither here nor with a connected peer."""

    code = "not-available"
    exit_code = 32
    default_hint = "Try again when somebody who has it is online."


class StoreError(HoldfastError):
    """The directory on disk refuses."""

    code = "store"
    exit_code = 40


class StoreBusyError(StoreError):
    """Another running process holds the store."""

    code = "store-busy"
    exit_code = 41


class StoreVersionError(StoreError):
    """Written by a newer Holdfast, or not a store at all."""

    code = "store-version"
    exit_code = 42


class DiskFullError(StoreError):
    """No space left; everything acknowledged before is intact."""

    code = "disk-full"
    exit_code = 43
    default_hint = "Free some space and run the same command again: it goes on where it stopped."


class DamagedError(StoreError):
    """Bytes on disk that fail their checks."""

    code = "damaged"
    exit_code = 44


class StaleWriterError(StoreError):
    """This store may be an older copy of a writer: appending could fork the log for ever."""

    code = "stale-writer"
    exit_code = 45


class ClosedError(HoldfastError):
    """Used after close()."""

    code = "closed"
    exit_code = 50


class ConflictError(HoldfastError):
    """Two signed heads for one length: this log is frozen and the evidence is kept."""

    code = "conflict"
    exit_code = 51
