"""The Python API: what each public package offers, from its docstrings and signatures."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

PACKAGES = [
    "holdfast",
    "holdfast.node",
    "holdfast.hyperdrive",
    "holdfast.hyperbee",
    "holdfast.store",
    "holdfast.encoding",
    "holdfast.net",
]
"""The rooms that programs enter, the usual first. The others are for whoever works on Holdfast."""

INTRODUCTION = """\
# The Python API

Generated from the docstrings by `make docs`. Everything listed here is typed and stays as it is within a minor
version; other modules may change. Errors are in [errors.md](errors.md).
"""


def _paragraph(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")


def _signature(name: str, thing: Any) -> str:
    try:
        signature = str(inspect.signature(thing))
    except (ValueError, TypeError):
        return name
    for noise in ("self, ", "self", "cls, ", "cls"):
        if signature.startswith(f"({noise}"):
            signature = signature.replace(noise, "", 1)
            break
    call = f"{name}{signature.replace(chr(39), '')}"
    if inspect.iscoroutinefunction(thing):
        return f"await {call}"
    return call


def _members(owner: type) -> Iterator[tuple[str, Any]]:
    for name, member in inspect.getmembers_static(owner):
        if name.startswith("_") or not _belongs(owner, name):
            continue
        if isinstance(member, property):
            yield name, member.fget
        elif isinstance(member, classmethod | staticmethod):
            yield f"{owner.__name__}.{name}", member.__func__
        elif inspect.isfunction(member):
            yield f"{name}", member


def _belongs(owner: type, name: str) -> bool:
    """Whether our own code defines it: tuples and exceptions bring methods nobody needs told."""
    return any(
        name in vars(base) and base.__module__.startswith("holdfast") for base in owner.__mro__
    )


def _class(name: str, thing: type) -> Iterator[str]:
    yield f"### {name}\n\n{inspect.cleandoc(thing.__doc__ or '')}\n"
    statics = dict(inspect.getmembers_static(thing))
    rows = []
    for member, function in _members(thing):
        is_property = isinstance(statics.get(member), property)
        shown = member if is_property else _signature(member, function)
        rows.append(f"* `{shown}`: {_paragraph(function)}")
    if rows:
        yield "\n".join(rows) + "\n"


def _function(name: str, thing: Callable[..., Any]) -> str:
    return f"### {name}\n\n`{_signature(name, thing)}`\n\n{inspect.getdoc(thing) or ''}\n"


def _package(name: str) -> Iterator[str]:
    package = importlib.import_module(name)
    yield f"## {name}\n\n{_paragraph(package)}\n"
    for public in getattr(package, "__all__", []):
        thing = getattr(package, public)
        if inspect.isclass(thing):
            yield from _class(public, thing)
        elif callable(thing):
            yield _function(public, thing)


def api_page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for name in PACKAGES:
        parts += _package(name)
    return "\n".join(parts)
