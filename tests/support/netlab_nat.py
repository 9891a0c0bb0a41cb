"""What a router does to those behind it, from hospitable to hostile."""

from __future__ import annotations

from enum import StrEnum


class Tier(StrEnum):
    """The kinds of network that a peer may sit in."""

    OPEN = "open"
    "Everything that arrives is forwarded to the one behind: a mapped port, or a full cone."
    MODERATE = "moderate"
    "The same port outside for all destinations; only who was written to may answer."
    STRICT = "strict"
    "A port by chance for every destination; only who was written to may answer."
    BLOCKED = "blocked"
    "Moderate for TCP, and no UDP at all."


TIERS = tuple(Tier)


def rules(tier: Tier, inside: str) -> str:
    """nftables rules of a router with devices ``lan`` and ``wan``, for the host `inside`.

    What arrives uninvited is dropped on input without an answer and before connection tracking
    keeps it: kept, it would take the very port that a hole punched a moment later has to use.
    """
    blocked = "meta l4proto udp drop" if tier is Tier.BLOCKED else ""
    mapped = f'iifname "wan" meta l4proto {{ tcp, udp }} dnat to {inside}'
    return f"""
table ip lab {{
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname "wan" meta l4proto {{ tcp, udp }} ct state new drop
  }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    {blocked}
    ct state established,related accept
    iifname "lan" accept
    ct status dnat accept
  }}
  chain prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
    {mapped if tier is Tier.OPEN else ""}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname "wan" masquerade {"fully-random" if tier is Tier.STRICT else ""}
  }}
}}
"""
