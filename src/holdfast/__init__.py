"""Holdfast: a peer-to-peer storehouse for communities."""

from __future__ import annotations
