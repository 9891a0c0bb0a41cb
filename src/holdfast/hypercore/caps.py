"""The constants that keep one use of a key or hash apart from another (hypercore.md 4.1)."""

from __future__ import annotations

from holdfast.crypto import namespace

TREE, MANIFEST, DEFAULT_NAMESPACE, DEFAULT_ENCRYPTION = namespace("hypercore", [0, 3, 4, 5])
