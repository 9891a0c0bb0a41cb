"""Every public name says what it promises.

A promise is stated once: a method may lean on the words of a base class, or of a Protocol that its
class fulfils (and a Protocol on those of a class that fulfils it).
"""

from __future__ import annotations

import ast
import functools
from typing import NamedTuple

from tests.house.source import Module, Public, decorators, modules, public_names

_NO_WORDS_NEEDED = {"overload", "setter", "deleter"}


class _Class(NamedTuple):
    name: str
    bases: list[str]
    members: set[str]
    said: set[str]

    @property
    def is_protocol(self) -> bool:
        return "Protocol" in self.bases


def _last_word(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        node = node.value
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _read(node: ast.ClassDef) -> _Class:
    methods = [m for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)]
    fields = {
        target.id if isinstance(target, ast.Name) else getattr(target, "attr", "")
        for assignment in ast.walk(node)
        if isinstance(assignment, ast.Assign | ast.AnnAssign)
        for target in getattr(assignment, "targets", [getattr(assignment, "target", None)])
    }
    public = {m.name for m in methods if not m.name.startswith("_")}
    said = {m.name for m in methods if ast.get_docstring(m)}
    bases = [_last_word(base) for base in node.bases]
    members = public | ({f for f in fields if not f.startswith("_")} - {""})
    return _Class(node.name, bases, members, said)


@functools.cache
def _classes() -> dict[str, _Class]:
    found = (node for module in modules() for node in ast.walk(module.tree))
    return {node.name: _read(node) for node in found if isinstance(node, ast.ClassDef)}


def _all_members(name: str) -> set[str]:
    known = _classes().get(name)
    if known is None:
        return set()
    return known.members.union(*(_all_members(base) for base in known.bases))


@functools.cache
def _speakers(owner: str) -> frozenset[str]:
    """The classes whose words count for ``owner`` too: bases, and partners of a Protocol."""
    spoken, waiting = set[str](), [owner]
    while waiting:
        name = waiting.pop()
        if name in _classes() and name not in spoken:
            spoken.add(name)
            waiting += _classes()[name].bases
    mine = _all_members(owner)
    for other in _classes().values():
        protocol = owner if _classes()[owner].is_protocol else other.name
        if not _classes()[protocol].is_protocol:
            continue
        theirs = _all_members(other.name)
        wanted, offered = (theirs, mine) if protocol == other.name else (mine, theirs)
        if wanted and wanted <= offered:
            spoken.add(other.name)
    return frozenset(spoken)


def _said_elsewhere(public: Public) -> bool:
    if public.owner is None:
        return False
    member = public.name.rpartition(".")[2]
    return any(member in _classes()[name].said for name in _speakers(public.owner.name))


def _silent(module: Module) -> list[str]:
    return [
        f"{module.path.name}: {public}"
        for public in public_names(module)
        if not decorators(public.node) & _NO_WORDS_NEEDED
        and not ast.get_docstring(public.node)
        and not _said_elsewhere(public)
    ]


def test_every_public_name_has_a_docstring() -> None:
    silent = [line for module in modules() for line in _silent(module)]
    assert silent == []


def test_every_first_line_is_a_sentence_of_its_own() -> None:
    """Tools show the first line alone: it must fit, and not go on into the next."""
    ragged = []
    for module in modules():
        for public in public_names(module):
            first, _, rest = (ast.get_docstring(public.node) or ".").partition("\n")
            if rest and rest[0] != "\n":
                ragged.append(f"{public}: {first}")
    assert ragged == []
