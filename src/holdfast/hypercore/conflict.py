"""Two signed heads for one length: the one thing a log cannot survive, and how it is proven.

A writer that ran from two copies of its store signs two different trees. Whoever meets both freezes
that log (and only that one) and keeps the second head as evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.errors import ConflictError, InvalidProof
from holdfast.hypercore import messages as wire
from holdfast.hypercore.proof_verify import verify_proof
from holdfast.hypercore.state import TreeState, load_roots
from holdfast.hypercore.tree import tree_hash

if TYPE_CHECKING:
    from holdfast.hypercore.log import Log


def evidence_of_conflict(log: Log, data: wire.Data) -> ConflictError | None:
    """The error to freeze the log with when ``data`` proves a second head, else None.

    ``data`` must carry an upgrade from 0 at our fork; it is checked as if we held nothing.
    """
    upgrade = data.upgrade
    if upgrade is None or not 0 < upgrade.length <= log.local.length:
        return None
    try:
        verify_proof(TreeState(_nothing, fork=data.fork), data, log.verifier)
    except InvalidProof:
        return None
    ours = load_roots(log.node, upgrade.length)
    if ours is None or tree_hash(ours) == tree_hash(upgrade.nodes):
        return None
    return frozen_error(log.key)


def frozen_error(key: bytes) -> ConflictError:
    """What a frozen log answers to whoever wants to change it."""
    return ConflictError(
        f"Log {key.hex()[:16]}… has two signed versions of the same length: its writer ran twice.",
        "It is frozen: what is here stays readable, nothing new is taken or written.",
    )


def _nothing(index: int) -> None:
    return None
