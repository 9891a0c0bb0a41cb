"""z-base-32, the text form of keys: five bits a character, in an alphabet kind to the eye."""

from __future__ import annotations

from holdfast.errors import LinkError

ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769"
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_VALUES |= {character.upper(): value for character, value in _VALUES.items()}
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]


def z32_encode(data: bytes) -> str:
    """Text of ``data``: 8 characters for 5 bytes, the last one filled up with zero bits."""
    count = (len(data) * 8 + 4) // 5
    bits = int.from_bytes(data, "big") << (count * 5 - len(data) * 8)
    pairs = []
    for _ in range((count + 1) // 2):
        pairs.append(_PAIRS[bits & 1023])
        bits >>= 10
    return "".join(reversed(pairs))[-count:] if count else ""


def z32_decode(text: str) -> bytes:
    """Bytes of ``text``, either case; LinkError with the position of what cannot be."""
    bits = 0
    for position, character in enumerate(text, 1):
        value = _VALUES.get(character)
        if value is None:
            raise LinkError(f"Character {position} cannot be in a key.")
        bits = bits << 5 | value
    size, spare = divmod(len(text) * 5, 8)
    if spare >= 5 or bits & ((1 << spare) - 1):
        raise LinkError("The last character cannot end a key.")
    return (bits >> spare).to_bytes(size, "big")
