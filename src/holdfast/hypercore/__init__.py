"""The hypercore: a signed append-only log, its Merkle tree, and how it is exchanged with peers.

* `Log` is one log over a `Backend`, which keeps its bytes; `Manifest` says who signs it.
* `Replicator` exchanges it with every `Peer`; `messages` are what they say, `proof_create` and
  `proof_verify` what they show.
* `tree`, `flat_tree`, `tree_view`, `state` are the Merkle tree; `reorg` follows it to a new fork.
* `BlockCipher` hides the blocks from whoever only stores them.

Pure: no clock, no socket, no file. Time, storage and the line are handed in.
"""

from holdfast.hypercore.backend import Backend, BlockWrite, Change, Head, Leaf
from holdfast.hypercore.encryption import BlockCipher
from holdfast.hypercore.log import Log
from holdfast.hypercore.manifest import Manifest, Signer, manifest_key, single_signer
from holdfast.hypercore.peer import Peer
from holdfast.hypercore.port import ChannelPort
from holdfast.hypercore.replicator import Replicator
from holdfast.hypercore.staged import Block
from holdfast.hypercore.tree import Node
from holdfast.hypercore.tree_view import InvalidRequest, MissingNode
from holdfast.hypercore.verifier import Verifier

__all__ = [
    "Backend",
    "Block",
    "BlockCipher",
    "BlockWrite",
    "Change",
    "ChannelPort",
    "Head",
    "InvalidRequest",
    "Leaf",
    "Log",
    "Manifest",
    "MissingNode",
    "Node",
    "Peer",
    "Replicator",
    "Signer",
    "Verifier",
    "manifest_key",
    "single_signer",
]
