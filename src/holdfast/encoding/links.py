"""Links: what one person gives another to open a drive.

``hyper://KEY[+VERSION][/PATH][?peer=HOST:PORT&peer=...][#SECRET]``

KEY and SECRET are 32 bytes in z-base-32. KEY finds and verifies; SECRET decrypts and is never sent
anywhere. PATH is percent-encoded UTF-8. Each peer is an address to try first. ``pear://`` and a
bare key are understood too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias
from urllib.parse import quote, unquote

from holdfast.encoding.keys import KEY_BYTES, decode_key, key_text
from holdfast.encoding.varint import MAX_UINT
from holdfast.errors import LinkError

SCHEMES = ("hyper", "pear")
MAX_LINK = 8192
"""Longest text read as a link: a path has at most 4096 bytes on most systems, more encoded."""
MAX_PEERS = 16
"""Addresses a link may carry: it should fit a QR code, and not make us dial the world."""

_SAFE = "/~!$&()*,;=:@+"
_HOST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%")
_ONE_LINE = "Copy it again as one line."

PeerAddress: TypeAlias = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link in parts; ``str()`` writes it, with its secret: show that only to whom it is for."""

    key: bytes
    path: str = "/"
    """Begins with "/" and is otherwise as somebody wrote it: who opens it judges it."""
    secret: bytes | None = field(default=None, repr=False)
    peers: tuple[PeerAddress, ...] = ()
    version: int | None = None

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES or (
            self.secret is not None and len(self.secret) != KEY_BYTES
        ):
            raise ValueError(f"keys and secrets have {KEY_BYTES} bytes")
        if not self.path.startswith("/"):
            raise ValueError("the path of a link begins with /")

    def __str__(self) -> str:
        version = "" if self.version is None else f"+{self.version}"
        path = "" if self.path == "/" else quote(self.path, safe=_SAFE)
        peers = "&".join(f"peer={_address_text(peer)}" for peer in self.peers)
        secret = "" if self.secret is None else f"#{key_text(self.secret)}"
        return f"hyper://{key_text(self.key)}{version}{path}{'?' if peers else ''}{peers}{secret}"

    def without_secret(self) -> Link:
        """The same link for logs and screens."""
        return replace(self, secret=None)


def parse_link(text: str) -> Link:
    """Read a link as people paste it; LinkError says what is wrong, without quoting the secret."""
    rest = _strip_scheme(_clean(text))
    rest, hash_sign, secret = rest.partition("#")
    rest, _, query = rest.partition("?")
    head, slash, path = rest.partition("/")
    key, plus, version = head.partition("+")
    return Link(
        key=decode_key(key, "The key in the link", secret=False),
        path=_parse_path(slash + path),
        secret=_parse_secret(secret) if hash_sign else None,
        peers=_parse_peers(query) if query else (),
        version=_parse_version(version) if plus else None,
    )


def _clean(text: str) -> str:
    """Without what mail and chat put around a link."""
    text = text.strip().strip("<>\"'`").strip()
    if not text:
        raise LinkError("The link is empty.")
    if len(text) > MAX_LINK:
        raise LinkError(f"The link is longer than {MAX_LINK} characters.")
    if not text.replace(" ", "a").isprintable():
        raise LinkError("The link contains a line break or another invisible character.", _ONE_LINE)
    return text


def _strip_scheme(text: str) -> str:
    scheme, colon, rest = text.partition("://")
    if not colon:
        return text
    if scheme.lower() not in SCHEMES:
        raise LinkError(
            "The link does not begin with hyper:// .", "Links to drives look like hyper://KEY/PATH."
        )
    return rest


def _parse_path(path: str) -> str:
    try:
        return unquote(path, errors="strict") or "/"
    except UnicodeDecodeError:
        raise LinkError("The path in the link is not valid UTF-8.") from None


def _parse_version(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > MAX_UINT:
        raise LinkError("The version in the link (after the +) is not a number.")
    return int(text)


def _parse_secret(text: str) -> bytes:
    try:
        return decode_key(text, "The secret in the link (after the #)", secret=True)
    except LinkError as error:
        hint = error.hint if len(text) > 20 else f"{error.hint} A # in a file name is written %23."
        raise LinkError(error.message, hint) from None


def _parse_peers(query: str) -> tuple[PeerAddress, ...]:
    peers = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name != "peer":
            raise LinkError(
                "The link has a part after the ? that is not peer=HOST:PORT.",
                "A ? in a file name is written %3F.",
            )
        peers.append(_parse_address(unquote(value)))
    if len(peers) > MAX_PEERS:
        raise LinkError(f"The link names more than {MAX_PEERS} peers.")
    return tuple(peers)


def _parse_address(text: str) -> PeerAddress:
    """``HOST:PORT``, an IPv6 host in brackets."""
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not host or len(host) > 253 or not _HOST.issuperset(host) or (":" in host) != bracketed:
        raise LinkError("A peer in the link is not HOST:PORT.")
    if not port.isascii() or not port.isdigit() or len(port) > 5 or not 0 < int(port) < 65536:
        raise LinkError("A peer in the link has a port that is not between 1 and 65535.")
    return host, int(port)


def _address_text(peer: PeerAddress) -> str:
    host, port = peer
    return f"[{quote(host, safe=':')}]:{port}" if ":" in host else f"{host}:{port}"
