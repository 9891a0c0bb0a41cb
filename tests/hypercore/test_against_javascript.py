"""Answers, readers and reorganisations recorded from JavaScript Hypercore, replayed here.

Equal answers are equal bytes on the wire: the same nodes in the same order, the same signature.
"""

from __future__ import annotations

import pytest

from holdfast.hypercore.manifest import decode_manifest, manifest_key
from holdfast.hypercore.multisig import inflate, inflate_v0
from holdfast.hypercore.proof_create import block_proof
from holdfast.hypercore.proof_verify import verify_block
from holdfast.hypercore.reorg import ReorgBatch
from holdfast.hypercore.tree import tree_hash
from holdfast.hypercore.tree_view import InvalidRequest, local_seek, missing_nodes, seek_range
from holdfast.hypercore.verifier import Verifier
from tests.hypercore.trees import (
    Reader,
    Writer,
    block,
    proof_vectors,
    request,
    short_digest,
)

VECTORS = proof_vectors()


def written(writer: Writer, length: int, smallest: int, tag: int) -> Writer:
    writer.append([block(i, smallest, tag) for i in range(writer.length, length)])
    return writer


@pytest.mark.parametrize("group", VECTORS["answers"], ids=lambda g: f"{g['tag']}-{g['length']}")
def test_answers_are_those_of_javascript(group):
    writer = written(Writer(group["tag"]), group["length"], group["min"], group["tag"])
    for *parts, digest in group["cases"]:
        asked = request(*parts)
        if digest is None:
            with pytest.raises(InvalidRequest):
                writer.answer_bytes(asked)
        else:
            assert short_digest(writer.answer_bytes(asked)) == digest, parts


@pytest.mark.parametrize("session", VECTORS["readers"], ids=lambda s: str(s["tag"]))
def test_a_reader_learns_what_the_javascript_reader_learns(session):
    smallest, tag = session["min"], session["tag"]
    writer, reader = Writer(tag), Reader()
    for kind, *entry in session["log"]:
        if kind == "append":
            written(writer, entry[0], smallest, tag)
        elif kind == "seek":
            check_seek(reader, *entry)
        else:
            *parts, digest, accepted, length = entry
            assert accepted
            check_get(writer, reader, parts, digest)
            assert reader.length == length
    end = session["end"]
    assert (reader.length, reader.byte_length) == (end["length"], end["byteLength"])
    assert reader.known() == end["known"]


def check_seek(reader, position, padding, result, start, end):
    found = local_seek(reader, position, padding)
    if result is not None:
        assert found == tuple(result)
    else:
        assert found is None
        blocks = seek_range(reader, position, padding)
        assert blocks is not None
        assert blocks[:2] == (start, end)
        assert start <= blocks[2] < end


def check_get(writer, reader, parts, digest):
    asked = request(*parts)
    if asked.block is not None and asked.upgrade is None:
        assert missing_nodes(reader, 2 * asked.block.index) == asked.block.nodes
    encoded = writer.answer_bytes(asked)
    assert short_digest(encoded) == digest
    data = writer.answer(asked)
    if asked.block is not None and asked.hash is asked.seek is asked.upgrade is None:
        assert block_proof(writer, *asked.block) == data.block.nodes
        proven = verify_block(reader, data.block.index, data.block.value, data.block.nodes)
        known = {**reader.nodes, **{node.index: node for node in proven}}
        reader.verify(data, writer.verifier)
        assert reader.nodes == known
    else:
        reader.verify(data, writer.verifier)
    for index, node in reader.nodes.items():
        assert node == writer.nodes[index]


@pytest.mark.parametrize("number", range(len(VECTORS["reorgs"])), ids=lambda n: f"reorg-{n}")
def test_a_reader_follows_a_higher_fork_as_in_javascript(number):
    case = VECTORS["reorgs"][number]
    smallest, tag = case["min"], case["tag"]
    writer = written(Writer(tag), case["before"], smallest, tag)
    reader = Reader()
    reader.verify(writer.answer(request(upgrade=(0, case["before"]))), writer.verifier)
    for index in case["blocks"]:
        asked = request(block=(index, missing_nodes(reader, 2 * index)))
        reader.verify(writer.answer(asked), writer.verifier)
    for length, after, content in case["cuts"]:
        writer.truncate(length)
        if after > length:
            written(writer, after, smallest, content)

    batch = ReorgBatch(reader, writer.verifier)
    asked = request(upgrade=(0, min(case.get("ask", writer.length), writer.length)))
    assert short_digest(writer.answer_bytes(asked)) == case["up"]
    batch.start(writer.answer(asked))
    for _start, _end, index, nodes, digest in case["steps"]:
        step = batch.next_request()
        assert step == (index, nodes)
        asked = request(hash=step)
        assert short_digest(writer.answer_bytes(asked)) == digest
        batch.apply(writer.answer(asked))
    assert batch.finished == case["finished"]
    assert batch.next_request() is None
    assert batch.ancestors == min(case["ancestors"], case["before"])

    reorg = batch.finish()
    reader.cut(reorg.ancestors)
    reader.nodes.update((node.index, node) for node in reorg.nodes)
    reader.roots, reader.fork, reader.length = reorg.roots, reorg.fork, reorg.length
    end = case["end"]
    assert (reorg.length, reorg.fork) == (end["length"], end["fork"])
    assert reorg.byte_length == end["byteLength"] == writer.byte_length
    assert reader.known() == end["known"]
    assert all(reader.nodes[i] == writer.nodes[i] for i in reader.nodes)


@pytest.mark.parametrize("group", VECTORS["prologue"], ids=["fixed", "exact", "longer"])
def test_an_upgrade_is_widened_to_the_prologue(group):
    manifest = decode_manifest(bytes.fromhex(group["manifest"]))
    assert manifest_key(manifest).hex() == group["key"]
    writer = written(Writer(10 if group["signed"] else 9, manifest), group["length"], 0, 9)
    if group["length"] == 7:
        writer.signature = None
    for *parts, digest in group["cases"]:
        asked = request(*parts)
        if digest is None:
            with pytest.raises(InvalidRequest):
                writer.answer_bytes(asked)
            continue
        assert short_digest(writer.answer_bytes(asked)) == digest, parts
        if asked.upgrade.start < 7:
            data = writer.answer(asked)
            if data.block or data.hash or data.seek:
                continue
            assert Reader().verify(data, writer.verifier).length == writer.length


@pytest.mark.parametrize("number", range(len(VECTORS["multisig"])), ids=lambda n: f"multisig-{n}")
def test_signatures_of_several_signers(number):
    case = VECTORS["multisig"][number]
    verifier = Verifier(
        bytes.fromhex(case["key"]), decode_manifest(bytes.fromhex(case["manifest"]))
    )
    signed = written(Writer(20), case["target"], 0, 20)
    head = (tree_hash(signed.roots), signed.length, 0)
    signature = bytes.fromhex(case["signature"])
    assert case["ok"]
    assert verifier.verify(*head, signature, signed.roots)
    assert not verifier.verify(head[0], head[1], 1, signature, signed.roots)
    inflate_any = inflate if verifier.version else inflate_v0
    for part in inflate_any(signature).parts:
        changed = bytearray(signature)
        changed[signature.index(part.signature)] ^= 1
        assert not verifier.verify(*head, bytes(changed), signed.roots)
    assert not verifier.verify(*head, signature[:-1], signed.roots)
