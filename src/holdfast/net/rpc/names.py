"""Named services: what a name may look like, and the topic under which its workers are found."""

from __future__ import annotations

import re

from holdfast.crypto import blake2b_parts, namespace
from holdfast.errors import LocalError

MAX_NAME = 64
"""Longest name of a service, method or topic: it is typed by people and sent with each request."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._/-]{0,62}[a-z0-9])?")
_DOMAIN = namespace("holdfast/service", (0,))[0]


class ServiceNameError(LocalError):
    """A name that no service, method or topic may have."""

    code = "bad-service-name"


def check_name(name: str, what: str = "service") -> str:
    """The name itself when it may be one. Raises `ServiceNameError`."""
    if _NAME.fullmatch(name) is None:
        raise ServiceNameError(
            f"{name!r} is not the name of a {what}.",
            f"Use 1 to {MAX_NAME} of a-z, 0-9 and . _ / - between letters or digits.",
        )
    return name


def service_topic(name: str) -> bytes:
    """The 32 bytes under which workers of a service announce themselves.

    A hash of its own domain, so that a service's name never meets a drive's topic. Whoever can
    guess the name can find the workers: a service that shall not be found by strangers has a name
    that they cannot guess, or admits known keys only.
    """
    return blake2b_parts(_DOMAIN, check_name(name).encode())
