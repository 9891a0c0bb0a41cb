"""What works towards the world: the DHT, UDP, and what stands in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from holdfast.errors import AddressError
from holdfast.net.address import Address
from holdfast.net.checks.finding import Finding, error, good, note, warning
from holdfast.net.checks.nat import NatClass, NatReport, classify
from holdfast.net.checks.probe import Addr, OpenSocket, Prober, open_socket
from holdfast.net.checks.walk import Walk, look_around
from holdfast.net.dht.bootstrap import parse_bootstrap, resolve_bootstrap

TCP_SECONDS = 5.0
"""How long a bootstrap node may take to accept a TCP connection."""

_NO_BOOTSTRAP = (
    "Give a node of your community with --bootstrap HOST:PORT (or HOLDFAST_BOOTSTRAP); "
    "any machine that others can reach becomes one with `holdfast up --bootstrap`."
)
_RELAY = (
    "Give a relay with --relay ADDRESS: a bootstrap node of your community is one on the same port."
)
_STRICT = (
    "Forward a UDP port to this machine in the router, or turn on UPnP or 'full cone' there; "
    "otherwise connections with other strict networks need a relay (--relay ADDRESS)."
)


async def check_outside(
    bootstrap: Sequence[str],
    random: Callable[[int], bytes],
    *,
    opener: OpenSocket = open_socket,
) -> list[Finding]:
    """The findings ``dht``, ``udp`` and ``nat``."""
    if not bootstrap:
        nothing = "No node outside is known to ask."
        return [
            note("dht", "No bootstrap node is given, so no DHT is used.", _NO_BOOTSTRAP, nodes=0),
            note("udp", f"Whether UDP gets out cannot be told: {nothing}", _NO_BOOTSTRAP),
            _nat_finding(NatReport(NatClass.UNKNOWN)),
        ]
    found, failures = await _resolve(bootstrap)
    if not found:
        return [
            _unknown_hosts(failures),
            *_untold("no bootstrap node has an address"),
        ]
    try:
        walk = await _walk(list(found), random, opener)
        if not walk.answers:
            return await _silence(found)
        report = await classify(walk.nodes, opener, random)
    except OSError as failure:
        why = failure.strerror or str(failure)
        return [error("udp", f"No UDP socket can be used: {why}.", "See the check bind-udp.")]
    return [_dht_finding(walk, found, failures), _udp_finding(walk), _nat_finding(report)]


async def _walk(nodes: Sequence[Addr], random: Callable[[int], bytes], opener: OpenSocket) -> Walk:
    prober = Prober(await opener(), random)
    try:
        return await look_around(prober, nodes, random)
    finally:
        prober.close()


async def _resolve(texts: Sequence[str]) -> tuple[dict[Addr, str], dict[str, str]]:
    """IPv4 addresses (with the text they come from), and why the others have none."""
    found: dict[Addr, str] = {}
    failures: dict[str, str] = {}
    for text in texts:
        try:
            numbers, unknown = await resolve_bootstrap(parse_bootstrap([text]))
        except AddressError as problem:
            failures[text] = problem.message
            continue
        found |= dict.fromkeys(numbers, text)
        if not numbers:
            failures[text] = f"the host {', '.join(unknown)} is not known"
    return found, failures


def _unknown_hosts(failures: dict[str, str]) -> Finding:
    words = "; ".join(f"{text}: {why}" for text, why in failures.items())
    return error(
        "dht",
        f"None of the bootstrap nodes has an address ({words}).",
        "Check how they are written (HOST:PORT), and the name service of this machine.",
        nodes=0,
    )


def _untold(why: str) -> list[Finding]:
    return [
        note("udp", f"Whether UDP gets out cannot be told: {why}."),
        _nat_finding(NatReport(NatClass.UNKNOWN)),
    ]


async def _silence(found: dict[Addr, str]) -> list[Finding]:
    """No bootstrap node answers over UDP: is that UDP, or are the nodes not there?"""
    tried = await asyncio.gather(*(_accepts(node) for node in found))
    names = ", ".join(found.values())
    accepting = [text for text, accepts in zip(found.values(), tried, strict=True) if accepts]
    if accepting:
        sentence = f"UDP does not get through: {accepting[0]} answers on TCP, but not on UDP."
        return [
            error("dht", "The DHT cannot be used: it needs UDP.", _RELAY, nodes=0),
            warning("udp", sentence, _RELAY, tcp=accepting),
            _nat_finding(NatReport(NatClass.BLOCKED)),
        ]
    sentence = f"No bootstrap node answers, neither on UDP nor on TCP: {names}."
    remedy = (
        "Check the addresses, and whether this machine is online; if other nodes of your "
        "community work, give one of them."
    )
    return [error("dht", sentence, remedy, nodes=0), *_untold("no bootstrap node answers at all")]


async def _accepts(node: Addr) -> bool:
    try:
        async with asyncio.timeout(TCP_SECONDS):
            _, writer = await asyncio.open_connection(*node)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _dht_finding(walk: Walk, found: dict[Addr, str], failures: dict[str, str]) -> Finding:
    times = sorted(answer.seconds for answer in walk.answers)
    silent = [found[node] for node in walk.silent if node in found] + list(failures)
    facts = {
        "nodes": len(walk.answers),
        "named": walk.known,
        "silent": len(walk.silent),
        "median_ms": round(1000 * times[len(times) // 2], 2),
        "bootstrap_silent": silent,
    }
    count = len(walk.answers)
    sentence = f"{count} {'node' if count == 1 else 'nodes'} of the DHT answered"
    sentence += f", half of them within {facts['median_ms']} ms"
    if silent:
        remedy = "Take it off the list, or start it again."
        return warning("dht", f"{sentence}; no answer from {', '.join(silent)}.", remedy, **facts)
    if count == 1:
        remedy = "Start another one: a network of one node is gone when that one is."
        return note("dht", f"{sentence}; it names no other.", remedy, **facts)
    return good("dht", f"{sentence}.", **facts)


def _udp_finding(walk: Walk) -> Finding:
    lost = len(walk.silent) / (len(walk.silent) + len(walk.answers))
    return good("udp", "UDP gets out, and answers come back.", silent=round(lost, 3))


def _nat_finding(report: NatReport) -> Finding:
    facts = {
        "class": report.nat.value,
        "asked": report.asked,
        "seen_as": [str(Address(*each)) for each in report.seen_as],
    }
    seen = facts["seen_as"][0] if report.seen_as else ""  # type: ignore[index]
    match report.nat:
        case NatClass.OPEN:
            sentence = f"Open: whoever is told {seen} reaches this machine unasked."
            return good("nat", sentence, **facts)
        case NatClass.MODERATE:
            sentence = f"Moderate: others see this machine as {seen}; holes can be punched."
            return good("nat", sentence, **facts)
        case NatClass.STRICT:
            sentence = "Strict: others see this machine under a different port each."
            return warning("nat", sentence, _STRICT, **facts)
        case NatClass.BLOCKED:
            sentence = "Blocked: no UDP gets through, so others are reached by TCP or a relay."
            return warning("nat", sentence, _RELAY, **facts)
        case _:
            sentence = "What stands between this machine and others cannot be told"
            if report.asked:
                sentence += ": it takes two nodes outside, and there is one"
            return note("nat", f"{sentence}.", "", **facts)
