"""Keys as people see them: 52 characters of z-base-32, or 64 of hex. Errors say what went wrong.

Nothing here ever repeats a secret: messages about one give lengths and positions only.
"""

from __future__ import annotations

from holdfast.encoding.z32 import ALPHABET, z32_decode, z32_encode
from holdfast.errors import LinkError

KEY_BYTES = 32
Z32_LENGTH = 52
HEX_LENGTH = 64

_HEX = frozenset("0123456789abcdefABCDEF")
_Z32 = frozenset(ALPHABET + ALPHABET.upper())
_COPY = "Copy the whole link again from where it was shared."
_LOOKALIKES = "Keys contain no 0, 2, l or v: it may be an o, z, 1 or u."


def key_text(key: bytes) -> str:
    """The 52 characters of a 32-byte key."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    return z32_encode(key)


def parse_key(text: str) -> bytes:
    """The 32 bytes of a key in z-base-32 or hex, either case; LinkError says what is wrong."""
    return decode_key(text.strip(), "The key", secret=False)


def decode_key(text: str, name: str, *, secret: bool) -> bytes:
    """Like `parse_key`, calling it ``name`` in errors; a ``secret`` one is never quoted."""
    if len(text) == HEX_LENGTH and _HEX.issuperset(text):
        return bytes.fromhex(text)
    wrong = next((i for i, c in enumerate(text) if c not in _Z32), -1)
    if wrong < 0 and len(text) == Z32_LENGTH:
        try:
            return z32_decode(text)
        except LinkError:
            raise LinkError(f"{name} is mistyped: it cannot end like this.", _COPY) from None
    raise _explain(text, wrong, name, secret)


def _explain(text: str, wrong: int, name: str, secret: bool) -> LinkError:
    """Cut, too long or mistyped: the most helpful of the three."""
    length = len(text)
    if not text:
        return LinkError(f"{name} is missing.", _COPY)
    if wrong >= 0 and length == Z32_LENGTH:
        shown = "" if secret else f" ({text[wrong]!r})"
        hint = _LOOKALIKES if text[wrong].lower() in "02lv" else _COPY
        return LinkError(f"{name} is mistyped: character {wrong + 1}{shown} cannot be in it.", hint)
    expected = HEX_LENGTH if _HEX.issuperset(text) and length > Z32_LENGTH else Z32_LENGTH
    if length < expected:
        return LinkError(f"{name} is cut: it has {length} of {expected} characters.", _COPY)
    return LinkError(f"{name} is too long: it has {length} characters, not {expected}.", _COPY)
