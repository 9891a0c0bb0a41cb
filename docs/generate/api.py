"""The Python API: what each public package offers, from its docstrings and signatures."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

PACKAGES = [
    "holdfast",
    "holdfast.node",
    "holdfast.node.fsspec",
    "holdfast.hyperdrive",
    "holdfast.hyperbee",
    "holdfast.store",
    "holdfast.net",
]
"""The rooms that programs enter, the usual first. The others are for whoever works on Holdfast."""

INTRODUCTION = """\
# The Python API

Generated from the docstrings by `make docs`. Everything listed here is typed and stays as it is within a minor
version; other modules may change. Errors are in [errors.md](errors.md). What must be awaited says `await`; what gives
an `AsyncIterator` is looped over with `async for`.
"""


class _Bare(str):
    """An annotation as it was written, without the quotes that inspect would add."""

    def __repr__(self) -> str:
        return str(self)


def _words(thing: Any, *, whole: bool = False) -> str:
    text = inspect.getdoc(thing) or ""
    if not whole:
        text = " ".join(text.split())
    return text.replace("``", "`")


def _written(annotation: Any) -> Any:
    """An annotation as the source has it."""
    text = getattr(annotation, "__forward_arg__", annotation)
    return _Bare(text) if isinstance(text, str) else annotation


def _plain(parameter: inspect.Parameter) -> inspect.Parameter:
    """With a default that means something: no function's address, no thirty zero bytes."""
    default = parameter.default
    if inspect.isfunction(default):
        default = _Bare(default.__name__)
    elif isinstance(default, bytes) and len(default) > 8:
        default = _Bare("…")
    return parameter.replace(default=default, annotation=_written(parameter.annotation))


def _signature(name: str, thing: Any) -> str:
    """The call as it is written, without ``self``."""
    try:
        found = inspect.signature(thing)
    except (ValueError, TypeError):
        return name
    parameters = [_plain(p) for p in found.parameters.values() if p.name not in ("self", "cls")]
    result = _written(found.return_annotation)
    call = f"{name}{inspect.Signature(parameters, return_annotation=result)}"
    return f"await {call}" if inspect.iscoroutinefunction(thing) else call


def _is_record(thing: type) -> bool:
    """Whether its fields are its face: then the constructor is shown."""
    return dataclasses.is_dataclass(thing) or hasattr(thing, "_fields")


class _Page:
    """Remembers what was said, so that nothing is said twice."""

    def __init__(self) -> None:
        self.said: dict[int, str] = {}

    def package(self, name: str) -> Iterator[str]:
        """A package and everything in its ``__all__``."""
        package = importlib.import_module(name)
        yield f"## {name}\n\n{(package.__doc__ or '').partition(chr(10))[0]}\n"
        names = getattr(package, "__all__", [])
        again = [n for n in names if id(getattr(package, n)) in self.said]
        if again:
            yield f"Also here, see above: {', '.join(f'`{n}`' for n in again)}.\n"
        for public in sorted(names, key=lambda n: _depth(getattr(package, n), package, names)):
            thing = getattr(package, public)
            if public in again:
                continue
            if inspect.isclass(thing):
                self.said[id(thing)] = public
                yield from self._class(public, thing)
            elif inspect.isfunction(thing):
                self.said[id(thing)] = public
                yield f"### {public}\n\n`{_signature(public, thing)}`\n\n{_words(thing, whole=True)}\n"

    def _class(self, name: str, thing: type) -> Iterator[str]:
        yield f"### {name}\n"
        if _is_record(thing):
            yield f"`{_signature(name, thing).removesuffix(' -> None')}`\n"
        yield f"{_words(thing, whole=True)}\n"
        rows, inherited = [], set()
        for member, shown, function in _members(thing):
            home = next(base for base in thing.__mro__ if member in vars(base))
            known = [b for b in thing.__mro__[1:] if id(b) in self.said and issubclass(b, home)]
            if known:
                inherited.add(self.said[id(known[0])])
            else:
                rows.append(f"* `{shown}`: {_words(function)}".removesuffix(": "))
        if inherited:
            yield f"All of {', '.join(f'`{n}`' for n in sorted(inherited))}, and:\n"
        if rows:
            yield "\n".join(rows) + "\n"


def _depth(thing: Any, package: Any, names: list[str]) -> int:
    """How many classes of the same list come before it: what is built upon is shown first."""
    if not inspect.isclass(thing):
        return 0
    return sum(getattr(package, n) in thing.__mro__[1:] for n in names)


def _members(owner: type) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Name, how it is used, and the function behind each public member of our own making."""
    for name, member in inspect.getmembers_static(owner):
        home = next(base for base in owner.__mro__ if name in vars(base))
        if name.startswith("_") or not home.__module__.startswith("holdfast"):
            continue
        if (getattr(member, "__doc__", "") or "").startswith("asyncio:"):
            continue  # called by the event loop, not by people
        if isinstance(member, property) and member.fget is not None:
            yield name, name, member.fget
        elif isinstance(member, classmethod | staticmethod):
            yield name, _signature(f"{owner.__name__}.{name}", member.__func__), member.__func__
        elif inspect.isfunction(member):
            yield name, _signature(name, member), member


def api_page() -> str:
    """The whole page."""
    page, parts = _Page(), [INTRODUCTION]
    for name in PACKAGES:
        parts += page.package(name)
    return "\n".join(parts)
