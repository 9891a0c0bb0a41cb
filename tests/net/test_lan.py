"""Nodes on one network find each other: real multicast between namespaces, no internet."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from holdfast.crypto import blake2b
from holdfast.net.address import Address
from holdfast.net.near.lan import MAX_NEIGHBOURS, LocalNetwork
from holdfast.net.near.networks import own_networks
from tests.net.lan_room import Worker, boxes, run, worker

pytestmark = pytest.mark.timeout(120)

FLOOD = 30_000
GROWTH = 48 * 2**20
"""Bytes that a flood may cost, the libraries for mDNS and its 10,000 records included."""


async def test_five_processes_on_one_network_all_meet() -> None:
    with boxes(2) as (one, two):
        async with AsyncExitStack() as stack:
            nodes = [
                await stack.enter_async_context(worker((one, two)[number % 2], f"node {number}"))
                for number in range(5)
            ]
            keys = [(await node.until())["ready"] for node in nodes]
            for node in nodes:
                node.tell(announce="the evening's films")
                node.tell(lookup="the evening's films")
            for node, own in zip(nodes, keys, strict=True):
                for key in set(keys) - {own}:
                    await node.until(met=key)
            for node in nodes:
                assert not any("refused" in event for event in node.heard)
                await node.stop()


async def test_who_has_something_else_or_no_longer_has_it_is_not_found() -> None:
    with boxes(2) as (one, two):
        async with worker(one, "a") as sharer, worker(two, "b") as other, worker(two, "c") as late:
            key = (await sharer.until())["ready"]
            sharer.tell(announce="x")
            sharer.tell(announce="y")
            other.tell(lookup="z")
            other.tell(lookup="x")
            await other.until(found=key, topic="x")
            sharer.tell(unannounce="x")
            sharer.tell(announce="z")
            await other.until(found=key, topic="z")
            late.tell(lookup="x")
            late.tell(lookup="z")
            await late.until(found=key, topic="z")
            assert not any(event.get("topic") == "x" for event in late.heard)
            await sharer.stop()


async def test_nothing_is_said_before_it_is_told_and_never_a_topic() -> None:
    with boxes(2) as (one, two):
        listening = worker(two, "listen", "10.77.0.2", module="lan_liar")
        async with listening as ear, worker(one, "a") as node:
            await ear.until(ready="10.77.0.2")
            key = (await node.until())["ready"]
            node.tell(lookup="x")
            await ear.until(kind="question")
            while (await node.ask())["status"] != "working":
                pass
            node.tell(announce="x")
            await ear.until(kind="answer")
            packets = [event for event in ear.heard if "kind" in event]
            assert [event["kind"] for event in packets[:-1]] == ["question"] * (len(packets) - 1)
            assert key in packets[-1]["data"]
            assert not any(blake2b(b"x").hex() in event["data"] for event in packets)


async def test_liars_can_neither_pose_as_somebody_nor_fill_the_memory() -> None:
    with boxes(2) as (one, two):
        async with worker(one, "a") as node, worker(two, "b") as honest, worker(two, "l") as liar:
            await node.until()
            key = (await honest.until())["ready"]
            await liar.until()
            node.tell(lookup="x")
            while (await node.ask())["status"] != "working":
                pass
            liar.tell(announce="unrelated")  # so that it listens where the pose points at
            before = (await node.ask())["peak"]
            port = await _port_of(liar)
            await _lie(two, "pose", key, "x", "10.77.0.2", str(port), "10.77.0.2")
            assert (await node.until(refused=key))["code"] == "handshake-failed"
            await _lie(two, "pose", key, "x", "203.0.113.5", "80", "10.77.0.2")
            await _lie(two, "pose", key, "x", "127.0.0.1", "22", "10.77.0.2")
            await _lie(two, "flood", str(FLOOD), "10.77.0.2")
            honest.tell(announce="x")
            await node.until(met=key)
            after = await node.ask()
            assert after["neighbours"] <= MAX_NEIGHBOURS and after["peak"] - before < GROWTH
            hosts = {at.split(":")[0] for event in node.heard for at in event.get("at", ())}
            assert hosts == {"10.77.0.2"}


async def _port_of(node: Worker) -> int:
    node.tell(port="?")
    return int((await node.until(verb="port"))["port"])


async def _lie(box: str, *words: str) -> None:
    async with worker(box, *words, module="lan_liar") as lying:
        assert await asyncio.wait_for(lying.process.wait(), 60) == 0


async def test_a_machine_without_a_network_says_so_and_goes_on_when_there_is_one() -> None:
    with boxes(2) as (one, two):
        run("ip", "-n", one, "addr", "flush", "dev", "lan")
        async with worker(one, "a") as node, worker(two, "b") as other:
            await node.until()
            key = (await other.until())["ready"]
            other.tell(announce="x")
            node.tell(lookup="x")
            while (await node.ask())["status"] in ("idle", "working"):
                pass
            assert node.heard[-1]["status"] == "not available: this machine is on no network"
            run("ip", "-n", one, "addr", "add", "10.77.0.1/24", "dev", "lan")
            await node.until(met=key)
            run("ip", "-n", one, "link", "set", "lan", "down")
            assert (await node.ask())["answer"]
            await node.stop()
            assert node.process.returncode == 0


async def test_it_can_be_closed_at_any_time() -> None:
    finder = LocalNetwork(b"k" * 32, lambda: [Address("127.0.0.1", 1)])
    await finder.close()
    finder.announce(b"t" * 32)
    assert finder.status == "closed"
    finder = LocalNetwork(b"k" * 32, lambda: [Address("127.0.0.1", 1)])
    finder.announce(b"t" * 32)
    finder.unannounce(b"t" * 32)
    finder.lookup(b"t" * 32, lambda candidate: None)()
    await finder.close()
    await finder.close()


def test_loopback_is_no_network() -> None:
    assert not any(each.is_loopback for each in own_networks())
