"""Holdfast: a peer-to-peer storehouse for communities.

``holdfast.open(directory)`` gives a `Node`; a node gives `Drive`s. Everything is imported at first
use, so that ``import holdfast`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.encoding import Link, parse_link
    from holdfast.errors import HoldfastError
    from holdfast.hyperdrive import Drive, DriveView
    from holdfast.net import Policy
    from holdfast.node import Node, open, read_bytes, read_text

__all__ = [
    "Drive",
    "DriveView",
    "HoldfastError",
    "Link",
    "Node",
    "Policy",
    "open",
    "parse_link",
    "read_bytes",
    "read_text",
]

_HOMES = {
    "Drive": "holdfast.hyperdrive",
    "DriveView": "holdfast.hyperdrive",
    "HoldfastError": "holdfast.errors",
    "Link": "holdfast.encoding",
    "Policy": "holdfast.net",
    "parse_link": "holdfast.encoding",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'holdfast' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES.get(name, "holdfast.node")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
