"""Reliable streams over UDP (wire notes 4.13): pure state machines."""

from __future__ import annotations
